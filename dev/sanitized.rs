//! What the sanitizers have to find, or they find nothing: `sanitized leak`, `sanitized use-after-free`, `sanitized`.
//! Compiled by dev/sanitize.sh as the engine is. No part of any crate.

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("leak") => std::mem::forget(std::hint::black_box(vec![7_u8; 4321])),
        Some("use-after-free") => {
            let freed = Box::into_raw(Box::new(7_u64));
            // SAFETY: none; this is the error that has to be seen.
            unsafe {
                drop(Box::from_raw(freed));
                std::process::exit(i32::from(*std::hint::black_box(freed) == 1));
            }
        }
        _ => drop(std::hint::black_box(vec![7_u8; 4321])),
    }
}
