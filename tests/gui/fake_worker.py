"""A worker's client that does what a test says, with results made by the real engine room."""


class FakeClient:
    """Records what it is asked; the test sends events."""

    def __init__(self, *, on_event, on_exit):
        self.on_event, self.on_exit = on_event, on_exit
        self.asked = []
        self.requests = []
        self.is_running = False
        self._jobs = 0

    def start(self):
        self.is_running = True

    def prepare(self, **what):
        self._jobs += 1
        self.asked.append(("prepare", what))
        return self._jobs

    def segment(self, request):
        self._jobs += 1
        self.requests.append(request)
        self.asked.append(("segment", self._jobs))
        return self._jobs

    def look(self, rect):
        self.asked.append(("look", rect))

    def pause(self, job):
        self.asked.append(("pause", job))

    def resume(self, job):
        self.asked.append(("resume", job))

    def cancel(self, job):
        self.asked.append(("cancel", job))

    def gentle(self, *, on):
        self.asked.append(("gentle", on))

    def stop(self, timeout=1.0):
        self.is_running = False
        self.asked.append(("stop", timeout))

    @property
    def job(self):
        return self._jobs

    def send(self, event, job=None):
        self.on_event(self._jobs if job is None else job, event)

    def die(self, text="The segmentation process ended unexpectedly."):
        self.is_running = False
        self.on_exit(-9, text)
