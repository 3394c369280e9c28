// Writes all objects of the image that is open, for 'pathloop import'.
// For QuPath 0.6 and 0.7: Automate > Script editor, then Run, or Run > Run for project.
def folder = buildFilePath(PROJECT_BASE_DIR, 'pathloop-back')
mkdirs(folder)
def name = getCurrentImageNameWithoutExtension().replaceAll(/\.ome$/, '')
def path = buildFilePath(folder, name + '.geojson')
exportAllObjectsToGeoJson(path, 'FEATURE_COLLECTION', 'EXCLUDE_MEASUREMENTS')
println "Wrote ${path}"
