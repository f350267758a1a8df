//! `repomd.xml`: the metadata files with their hashes. It is what a signature is made over.

use super::xml::{DECLARATION, attribute, close, content, element, open};
use crate::model::{Data, Repomd};

/// The whole text.
#[must_use]
pub fn repomd(repomd: &Repomd) -> String {
    let space = "http://linux.duke.edu/metadata";
    let mut to = format!("{DECLARATION}<repomd xmlns=\"{space}/repo\" xmlns:rpm=\"{space}/rpm\">\n");
    element(&mut to, "  ", "revision", &repomd.revision);
    for data in &repomd.data {
        let Data { kind, location, sha256, bytes, open_sha256, open_bytes, timestamp } = data;
        open(&mut to, "  ", "data");
        attribute(&mut to, "type", kind);
        to.push_str(">\n");
        open(&mut to, "    ", "checksum type=\"sha256\">");
        content(&mut to, sha256);
        close(&mut to, "", "checksum");
        if !open_sha256.is_empty() {
            open(&mut to, "    ", "open-checksum type=\"sha256\">");
            content(&mut to, open_sha256);
            close(&mut to, "", "open-checksum");
        }
        open(&mut to, "    ", "location");
        attribute(&mut to, "href", location);
        to.push_str("/>\n");
        element(&mut to, "    ", "timestamp", &timestamp.to_string());
        element(&mut to, "    ", "size", &bytes.to_string());
        if let Some(bytes) = open_bytes {
            element(&mut to, "    ", "open-size", &bytes.to_string());
        }
        close(&mut to, "  ", "data");
    }
    close(&mut to, "", "repomd");
    to
}
