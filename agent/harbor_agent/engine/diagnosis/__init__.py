"""Why an image is not pulled: from the text of an error, from a pod, or by a pull on every node; changes nothing."""
