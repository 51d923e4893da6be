"""The addresses a control plane listens on: sockets, certificates, who is let in; no word of what is served there."""
