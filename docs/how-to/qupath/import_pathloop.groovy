// Brings what 'pathloop export --format geojson' wrote into the image that is open.
// For QuPath 0.6 and 0.7: Automate > Script editor, then Run, or Run > Run for project.
import qupath.lib.io.PathIO
import qupath.lib.objects.PathObjects

def folder = buildFilePath(PROJECT_BASE_DIR, 'pathloop')  // the folder that you gave with -o
boolean editableNuclei = false  // true: as annotations, which QuPath's tools can change; slow above some thousands

def name = getCurrentImageNameWithoutExtension().replaceAll(/\.ome$/, '')
def file = ['.geojson', '.geojson.gz'].collect { new File(folder, name + it) }.find { it.exists() }
if (file == null) {
    println "There is no ${name}.geojson in ${folder}"
    return
}
def objects = PathIO.readObjects(file)
if (editableNuclei) {
    objects = objects.collect { found ->
        if (!found.isDetection())
            return found
        def annotation = PathObjects.createAnnotationObject(found.getROI(), found.getPathClass())
        annotation.setID(found.getID())
        annotation.setName(found.getName())
        annotation.setLocked(found.isLocked())
        annotation.getMetadata().putAll(found.getMetadata())
        return annotation
    }
}
// what came in earlier goes first, so that no id is there twice
def ids = objects.collect { it.getID() } as Set
def earlier = getAllObjects(false).findAll { ids.contains(it.getID()) }
removeObjects(earlier, true)
getCurrentHierarchy().addObjects(objects)
println "${name}: ${objects.size()} objects, ${earlier.size()} of them were here before"
