//! Which facts a line carries, and the HAProxy expressions that build it.

use super::{BASE, MARK};
use crate::recording::USER_AGENT;
use luigi_core::policy::model::{FactKey, MAX_FACTS, Policy};
use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

/// Facts beside those that every line carries: what a policy needs, or what a line has. Displayed as their names, separated by spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactList {
    /// INVARIANT (facts-sorted): names of [`FactKey`]s, in their order, each once, at most [`MAX_FACTS`].
    names: BTreeSet<String>,
}

impl FactList {
    /// What a policy needs.
    #[must_use]
    pub fn of_policy(policy: &Policy) -> Self {
        Self { names: policy.facts.iter().map(|(_, fact)| fact.key().to_string()).collect() }
    }

    /// Reads what [`Display`](fmt::Display) writes; the order does not matter, and nothing at all is the empty list.
    ///
    /// # Errors
    /// A word that is no fact, or more than [`MAX_FACTS`] of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names: BTreeSet<String> = text.split_whitespace().map(str::to_owned).collect();
        if let Some(odd) = names.iter().find(|name| FactKey::parse(name).is_none()) {
            return Err(format!("`{}` is no fact that a line carries", odd.escape_debug()));
        }
        if names.len() > MAX_FACTS {
            return Err(format!("{} facts are more than the {MAX_FACTS} that a line can carry", names.len()));
        }
        Ok(Self { names })
    }

    /// Those of `needed` that are not here.
    #[must_use]
    pub fn lacks(&self, needed: &Self) -> Self {
        Self { names: needed.names.difference(&self.names).cloned().collect() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether headers that ask for another method are among them: some host of the policy refuses these.
    pub(crate) fn has_method_overrides(&self) -> bool {
        self.names.contains("header:x-http-method-override")
    }

    /// The same with the header `User-Agent`, which records have and no rule needs to ask for; as it is if a line could not carry it, too.
    #[must_use]
    pub fn with_user_agent(&self) -> Self {
        let mut list = self.clone();
        if list.names.len() < MAX_FACTS {
            list.names.insert(user_agent());
        }
        list
    }

    /// Whether the header `User-Agent` is among them.
    #[must_use]
    pub fn has_user_agent(&self) -> bool {
        self.names.contains(&user_agent())
    }

    /// The first line of a line with these facts.
    #[must_use]
    pub fn header(&self) -> String {
        self.names.iter().fold(BASE.to_owned(), |line, name| line + " " + name)
    }

    fn keys(&self) -> impl Iterator<Item = FactKey<'_>> {
        self.names.iter().filter_map(|name| FactKey::parse(name))
    }

    /// The format for `http-request set-var-fmt`, without the quotes around it, that builds a line with these facts.
    ///
    /// `url` and not `path` or `pathq`: it alone gives the target as received in every form and every version of HTTP. (For HTTP/2 it
    /// is the absolute-form that HAProxy makes of `:scheme`, `:authority` and `:path`.) `req.fhdr` does not split at commas; it gives the
    /// last header of a name, so the number of them is carried, too. Every fetch works in HAProxy 2.6.
    #[must_use]
    pub fn expression(&self) -> String {
        let mut text = self.header();
        text.push_str(concat!(
            "\\n%[method]\\n",
            "%[src]\\n",
            "%[req.fhdr_cnt(host)] %[req.fhdr(host),length] ",
            "%[req.fhdr_cnt(authorization)] %[req.fhdr(authorization),length] ",
            "%[url,length] %[req.fhdr_cnt(upgrade)]\\n",
            "%[req.fhdr(host)]\\n%[url]\\n%[req.fhdr(authorization)]\\n",
        ));
        // Behind what every line has, so that whoever takes a line of it (the log format does) finds it in its place.
        if !self.is_empty() {
            let counts: Vec<String> = self.keys().map(counts).collect();
            text.push_str(&counts.join(" "));
            text.push_str("\\n");
        }
        for value in self.keys().flat_map(values) {
            // Writing to a string cannot fail.
            let _ = write!(text, "%[{value}]\\n");
        }
        text.push_str(MARK);
        text
    }
}

impl fmt::Display for FactList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.names.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            write!(f, "{space}{name}")?;
        }
        Ok(())
    }
}

fn user_agent() -> String {
    FactKey::Header(USER_AGENT).to_string()
}

/// The variable of HAProxy that holds a fact; whoever configures HAProxy sets it, before Luigi's lines.
#[must_use]
pub fn variable(fact: &str) -> String {
    format!("txn.luigi_{}", fact.replace('-', "_"))
}

/// The fields of the line that a fact fills.
fn values(key: FactKey<'_>) -> Vec<String> {
    match key {
        FactKey::Certificate => Vec::new(),
        FactKey::CertificateFingerprint => vec!["ssl_c_der,sha2(256),hex".to_owned()],
        // HAProxy 2.6 and 3.0 have no fetch for the names: the whole certificate is carried.
        FactKey::CertificateNames => vec!["ssl_c_der,base64".to_owned()],
        FactKey::CertificateSubject => vec!["ssl_c_s_dn(,0,rfc2253)".to_owned()],
        FactKey::Named(name) => vec![format!("var({})", variable(name))],
        FactKey::Frontend => vec!["fe_name".to_owned()],
        FactKey::Header(name) => vec![format!("req.fhdr({name})"), format!("req.fhdr({name},-2)")],
    }
}

/// What stands for a fact in the line of counts: words that [`super::parse`] reads by the same rules.
fn counts(key: FactKey<'_>) -> String {
    let lengths: Vec<String> = values(key).iter().map(|value| format!("%[{value},length]")).collect();
    match key {
        FactKey::Certificate => "%[ssl_c_used] %[ssl_c_verify]".to_owned(),
        FactKey::Header(name) => format!("%[req.fhdr_cnt({name})] {}", lengths.join(" ")),
        FactKey::CertificateFingerprint
        | FactKey::CertificateNames
        | FactKey::CertificateSubject
        | FactKey::Frontend
        | FactKey::Named(_) => lengths.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expression_carries_what_is_asked_for_and_no_more() {
        let base = FactList::default().expression();
        assert!(
            base.starts_with("luigi-facts/1 method source host authorization target upgrade\\n%[method]"),
            "{base}"
        );
        assert!(!base.contains("ssl_c") && !base.contains("x-team"), "{base}");
        let list = FactList::parse("header:x-team frontend fact:data-centre certificate-names certificate").unwrap();
        let text = list.expression();
        let first = "luigi-facts/1 method source host authorization target upgrade certificate certificate-names fact:data-centre frontend header:x-team\\n";
        assert!(text.starts_with(first), "{text}");
        assert!(
            text.contains(
                "%[req.fhdr(authorization)]\\n%[ssl_c_used] %[ssl_c_verify] %[ssl_c_der,base64,length] %[var(txn.luigi_data_centre),length] \
                 %[fe_name,length] %[req.fhdr_cnt(x-team)] %[req.fhdr(x-team),length] %[req.fhdr(x-team,-2),length]\\n"
            ),
            "{text}"
        );
        let last = "%[ssl_c_der,base64]\\n%[var(txn.luigi_data_centre)]\\n%[fe_name]\\n%[req.fhdr(x-team)]\\n%[req.fhdr(x-team,-2)]\\nend";
        assert!(text.ends_with(last), "{text}");
        assert!(!text.contains("fingerprint") && !text.contains("ssl_c_s_dn"), "{text}");
    }

    #[test]
    fn records_have_the_user_agent_where_a_line_has_room_for_it() {
        let list = FactList::parse("header:x-team").unwrap();
        assert!(!list.has_user_agent() && list.with_user_agent().has_user_agent());
        assert_eq!(list.with_user_agent().with_user_agent().to_string(), "header:user-agent header:x-team");
        let full: String = (0..MAX_FACTS).map(|n| format!("header:x-{n} ")).collect();
        assert!(!FactList::parse(&full).unwrap().with_user_agent().has_user_agent());
    }

    #[test]
    fn lists_are_sorted_read_back_and_compared() {
        let list = FactList::parse(" header:x-b  certificate\theader:x-a certificate ").unwrap();
        assert_eq!(list.to_string(), "certificate header:x-a header:x-b");
        assert_eq!(FactList::parse(&list.to_string()), Ok(list.clone()));
        assert_eq!(FactList::parse(""), Ok(FactList::default()));
        let carried = FactList::parse("header:x-a fact:zone").unwrap();
        assert_eq!(carried.lacks(&list).to_string(), "certificate header:x-b");
        assert!(list.lacks(&FactList::default()).is_empty());
        for odd in ["header", "header:X", "query:a", "header:x)]\\n"] {
            assert!(FactList::parse(odd).unwrap_err().contains("is no fact"), "{odd}");
        }
        let many: String = (0..=MAX_FACTS).map(|n| format!("header:x-{n} ")).collect();
        assert!(FactList::parse(&many).unwrap_err().contains("more than"));
    }
}
