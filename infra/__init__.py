"""What it runs on: settings, services, images, cluster files."""
