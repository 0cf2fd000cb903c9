//! What crosses the wire: JSON scanners; later sockets, TLS, WebSocket, HTTP and signing.
