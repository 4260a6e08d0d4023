//! What the fuzz targets share.

use std::sync::Once;

pub mod readers;

/// Lets panics of libraries pass, which a reader catches and reports as damage of the file.
///
/// The fuzzer would end at any panic, caught or not. Panics of this project still end it, and so does one of a library that
/// is not caught.
pub fn tolerate_decoders() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("", |location| location.file());
            let in_library =
                ["/registry/src/", "/rustc/", "/library/"].iter().any(|part| place.contains(part));
            if !in_library {
                usual(panic);
            }
        }));
    });
}
