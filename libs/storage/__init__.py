"""Where bytes rest: folders on disk, buckets on S3, and the rules that keep names below their root."""
