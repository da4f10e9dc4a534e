//! Reading policy files from the disk.
