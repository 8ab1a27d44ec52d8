//! The panel's files, carried by the binary.

use std::fmt::Write as _;

use nodepanel_api::{PanelFile, PanelFiles};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// The panel of this build.
pub const PANEL: PanelFiles = PanelFiles { get };

fn get(path: &str) -> Option<PanelFile> {
    let file = Dist::get(path)?;
    let hash = file.metadata.sha256_hash();
    let mut etag = String::with_capacity(24);
    for byte in hash.iter().take(12) {
        // Writing to a string cannot fail.
        let _ = write!(etag, "{byte:02x}");
    }
    Some(PanelFile { media_type: media_type(path).to_owned(), content: file.data, etag })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
