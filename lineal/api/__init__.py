"""HTTP faces over a Backend: REST, the W&B wire and the web page. They come with the server."""
