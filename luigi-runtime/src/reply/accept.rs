//! Which kind of reply a caller wants (RFC 9110, section 12.5.1).

/// A kind of reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preferred {
    /// `text/html`.
    Page,
    /// `application/problem+json`.
    Problem,
}

/// A page for who names HTML and would rather have it than JSON, as browsers do; a problem object for everybody else.
pub(super) fn preferred(accept: Option<&[u8]>) -> Preferred {
    let Some(Ok(accept)) = accept.map(std::str::from_utf8) else {
        return Preferred::Problem;
    };
    let (mut page, mut problem) = (Weight::NONE, Weight::NONE);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some(name) = parts.next() else { continue };
        let quality = parts.find_map(quality).unwrap_or(1000);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("text/html") || is("application/xhtml+xml") {
            page.consider(2, quality);
        } else if is("text/*") {
            page.consider(1, quality);
        } else if is("application/problem+json") {
            problem.consider(3, quality);
        } else if is("application/json") {
            problem.consider(2, quality);
        } else if is("application/*") {
            problem.consider(1, quality);
        } else if is("*/*") {
            problem.consider(0, quality);
        }
    }
    if page.quality > problem.quality { Preferred::Page } else { Preferred::Problem }
}

/// The quality given by the most specific range so far.
struct Weight {
    specificity: i8,
    quality: u16,
}

impl Weight {
    const NONE: Self = Self { specificity: -1, quality: 0 };

    fn consider(&mut self, specificity: i8, quality: u16) {
        if specificity > self.specificity {
            *self = Self { specificity, quality };
        } else if specificity == self.specificity {
            self.quality = self.quality.max(quality);
        }
    }
}

/// `q=0.8` in thousandths; `None` for other parameters. What is no quality counts as none at all.
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Some(0);
    }
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_programs_problems() {
        let check = |accept: &str, expected| assert_eq!(preferred(Some(accept.as_bytes())), expected, "{accept}");
        assert_eq!(preferred(None), Preferred::Problem);
        assert_eq!(preferred(Some(b"text/html\xff")), Preferred::Problem);
        // Firefox, Chromium, Safari.
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Preferred::Page);
        check(
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
            Preferred::Page,
        );
        // curl, axios, fetch for JSON, gRPC.
        for accept in
            ["*/*", "application/json, text/plain, */*", "application/json", "", "application/grpc", "image/png"]
        {
            check(accept, Preferred::Problem);
        }
        check("text/html", Preferred::Page);
        check("TEXT/HTML ; charset=utf-8 ; Q=0.5", Preferred::Page);
        check("text/*", Preferred::Page);
        check("text/html, application/json", Preferred::Problem);
        check("text/html;q=0.4, application/problem+json;q=0.5", Preferred::Problem);
        check("text/html;q=0.5, application/problem+json;q=0.4, */*;q=0.9", Preferred::Page);
        check("text/html;q=0", Preferred::Problem);
        check("text/html;q=x", Preferred::Problem);
        check("text/html;q=1.1", Preferred::Problem);
        check("text/html;q=0.0001", Preferred::Problem);
        check(",,;;q=1,text/html", Preferred::Page);
    }
}
