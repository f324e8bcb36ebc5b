"""Disks and archives: what is where, without the bytes. A content is a name; equal names are equal bytes."""
