"""The language that people read: finished English texts are recognised and translated; set once per process."""
