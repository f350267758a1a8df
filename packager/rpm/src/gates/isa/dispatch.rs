//! Which functions are chosen at run time, after asking the processor: those that are named after an extension, as is the custom of every
//! library that does this, and those that the recipe declares with a reason.

use packager_recipe::Concrete;

/// Words at the beginning of a part of a name (`ec_encode_data_avx512_gfni`, `core_arch::x86::sse42`). Whoever names a function so has at least
/// two of them.
const BEGINNINGS: [&str; 16] = [
    "avx", "sse2", "sse3", "sse4", "ssse3", "bmi", "vaes", "aesni", "pclmul", "vpclmul", "clmul", "gfni", "shani",
    "f16c", "neon", "sve",
];

/// Whole parts of names.
const WORDS: [&str; 18] = [
    "sse",
    "adx",
    "fma",
    "popcnt",
    "lzcnt",
    "movbe",
    "shaext",
    "crc32c",
    "clflushopt",
    "clwb",
    "rdrand",
    "rdseed",
    "pmull",
    "lse",
    "dotprod",
    "aes",
    "hw",
    "armv8",
];

/// Helpers of compilers that ask the processor themselves: outline atomics of aarch64 have both ways in them.
const COMPILERS: [&str; 1] = ["__aarch64_"];

/// What is chosen at run time in a package.
pub(super) struct Dispatched<'r> {
    patterns: Vec<&'r str>,
}

impl<'r> Dispatched<'r> {
    pub(super) fn of(recipe: &'r Concrete, package: &str) -> Dispatched<'r> {
        let here = recipe.dispatched.iter().filter(|entry| entry.package.as_deref().is_none_or(|name| name == package));
        Dispatched { patterns: here.flat_map(|entry| &entry.functions).map(String::as_str).collect() }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        COMPILERS.iter().any(|prefix| name.starts_with(prefix))
            || self.patterns.iter().any(|pattern| matches(pattern, name))
            || name.split(|c: char| !c.is_ascii_alphanumeric()).any(is_extension)
    }
}

fn is_extension(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    WORDS.contains(&part.as_str()) || BEGINNINGS.iter().any(|beginning| part.starts_with(beginning))
}

/// Whether a name is what a pattern describes; `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{is_extension, matches};

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*_04", "encode_df_04", true),
            ("*_04", "encode_df_04_2", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "ac", false),
            ("ab*b", "ab", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_tell_extensions_apart_from_words() {
        for part in ["avx2", "AVX512", "sse42", "hw", "shaext", "vpclmulqdq"] {
            assert!(is_extension(part), "{part}");
        }
        for part in ["compressed", "else", "asset", "aesthetic", "false", "scanf", "init"] {
            assert!(!is_extension(part), "{part}");
        }
    }
}
