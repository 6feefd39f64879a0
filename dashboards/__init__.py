"""What people look at: the console, the wall and, later, Grafana."""
