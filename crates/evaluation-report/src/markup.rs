//! Text for XML: escaping, and how wide it is about to be.

/// The text as XML content or attribute value, in ASCII alone.
///
/// Other characters become references, so that the document reads the same in whatever encoding
/// a database or a client writes it. What XML 1.0 cannot hold becomes U+FFFD.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => escaped.push_str("&#xFFFD;"),
            ' '..='~' => escaped.push(c),
            _ => escaped.push_str(&format!("&#x{:X};", u32::from(c))),
        }
    }
    escaped
}

/// About how wide the text is, in units of the font's size. The font is the reader's, so this is
/// a generous guess: an em for East Asian characters and pictures, 0.6 for most letters.
pub fn width(text: &str) -> f64 {
    text.chars().map(advance).sum()
}

fn advance(c: char) -> f64 {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' => 0.0,
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '\'' | '!' | ' ' => 0.35,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.9,
        'A'..='Z' => 0.7,
        '\0'..='\u{10ff}' => 0.6,
        _ => 1.0,
    }
}

/// The text, cut with an ellipsis where it is wider than this many units of the font's size.
pub fn cut(text: &str, limit: f64) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut left = limit - 1.0; // the ellipsis
    let fits = text.chars().take_while(|c| {
        left -= advance(*c);
        left >= 0.0
    });
    let kept: String = fits.collect();
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_into_ascii() {
        assert_eq!(escape(r#"<a b='&"c">"#), "&lt;a b=&#39;&amp;&quot;c&quot;&gt;");
        assert_eq!(escape("가a"), "&#xAC00;a");
        assert_eq!(escape("\u{1f600}\u{7f}"), "&#x1F600;&#x7F;");
        assert_eq!(escape("a\nb\u{1}\u{ffff}"), "a b&#xFFFD;&#xFFFD;");
    }

    #[test]
    fn cuts_by_width() {
        assert_eq!(cut("한국어 모델", 6.0), "한국어 모델");
        assert_eq!(cut("한국어 모델", 5.0), "한국어…");
        assert_eq!(cut("abc", 0.5), "…");
        assert!(width("한국어") > width("abc"));
    }
}
