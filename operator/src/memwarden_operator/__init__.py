"""The injector (a webhook) and the controller (Kopf), two commands of one image."""
