//! What the header declares, read as the little C that cbindgen writes. Nothing is passed over: what is not understood ends the test, so that nothing of the ABI stays out of
//! the table.

/// What stands in the header.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A number that the preprocessor puts in.
    Constant(String),
    /// An enum, and the type of its numbers: what a function that returns one returns.
    Enum { name: String, of: String },
    /// A number of an enum.
    Number { of: String, name: String },
    /// A struct.
    Struct { name: String, members: Vec<Member> },
    /// The type of a function that Luigi calls.
    Callback { name: String, signature: String },
    /// A function of the library.
    Function { name: String, signature: String },
    /// A function that stands in the header itself.
    Inline(String),
}

/// A member of a struct.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its type, as it is written.
    pub(crate) of: String,
}

/// The constants, and then everything else in its order.
///
/// # Panics
/// If something is none of these.
pub(crate) fn items(header: &str) -> Vec<Item> {
    let (mut items, mut code) = (Vec::new(), String::new());
    for line in without_comments(header).lines() {
        match line.trim_start().strip_prefix('#') {
            None => code = code + line + " ",
            Some(directive) => items.extend(constant(directive)),
        }
    }
    let mut linkage = None;
    for declaration in declarations(&code) {
        let words = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.strip_prefix("extern \"C\" {") {
            None => declared(&words, &mut items),
            Some(block) => {
                assert_eq!(linkage.replace(()), None, "one block has all functions");
                let block = block.strip_suffix('}').expect("a block ends");
                declarations(block).iter().for_each(|one| declared(one.trim(), &mut items));
            }
        }
    }
    assert!(linkage.is_some(), "the functions are those of C");
    items
}

fn without_comments(text: &str) -> String {
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        kept += &rest[..at];
        rest = &rest[at..];
        let end = if rest.starts_with("//") { rest.find('\n') } else { rest.find("*/").map(|end| end + 2) };
        rest = &rest[end.expect("a comment ends")..];
    }
    kept + rest
}

/// What a directive defines.
fn constant(directive: &str) -> Option<Item> {
    let words: Vec<&str> = directive.split_whitespace().collect();
    match words[..] {
        ["define", "LUIGI_H" | "LUIGI_TEXT_OF"] | ["if" | "ifdef" | "ifndef" | "else" | "endif" | "include", ..] => {
            None
        }
        ["define", name, value] if name.starts_with("LUIGI_") && value.parse::<u64>().is_ok() => {
            Some(Item::Constant(name.to_owned()))
        }
        _ => panic!("not understood in the header: #{directive}"),
    }
}

/// Declarations without what ends them.
fn declarations(code: &str) -> Vec<String> {
    let (mut found, mut one, mut depth) = (Vec::new(), String::new(), 0_usize);
    for c in code.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1).expect("braces match"),
            _ => {}
        }
        if depth > 0 || c != ';' {
            one.push(c);
        }
        let has_body = one.trim_start().starts_with("static inline ") || one.trim_start().starts_with("extern ");
        if depth == 0 && (c == ';' || c == '}' && has_body) {
            found.push(std::mem::take(&mut one));
        }
    }
    assert_eq!((one.trim(), depth), ("", 0), "every declaration ends");
    found
}

fn declared(declaration: &str, items: &mut Vec<Item>) {
    let own = |text: &str| text.trim().to_owned();
    let wrong = format!("not understood in the header: {declaration}");
    if let Some(rest) = declaration.strip_prefix("static inline ") {
        items.push(Item::Inline(own(rest.split('{').next().expect(&wrong))));
    } else if let Some(rest) = declaration.strip_prefix("enum ") {
        let (name, rest) = rest.split_once(" : ").expect(&wrong);
        let (of, numbers) = rest.split_once('{').expect(&wrong);
        items.push(Item::Enum { name: own(name), of: own(of) });
        let numbers = numbers.strip_suffix('}').expect(&wrong);
        for number in numbers.split(',').map(str::trim).filter(|number| !number.is_empty()) {
            let (number, _) = number.split_once(" = ").expect(&wrong);
            items.push(Item::Number { of: own(name), name: own(number) });
        }
    } else if let Some(rest) = declaration.strip_prefix("typedef struct {") {
        let (members, name) = rest.split_once('}').expect(&wrong);
        let members = members.split(';').map(str::trim).filter(|member| !member.is_empty());
        items.push(Item::Struct { name: own(name), members: members.map(member).collect() });
    } else if let Some((of, name)) = declaration.strip_prefix("typedef ").and_then(|rest| rest.rsplit_once(' '))
        && !declaration.contains('(')
    {
        // The name of an enum for C, which has no types for enums before C23: in both editions that of its numbers.
        let is_of = |item: &Item| match item {
            Item::Enum { name: known, of: number } => known == name && (of == number || of == format!("enum {name}")),
            _ => false,
        };
        assert!(items.iter().any(is_of), "{wrong}");
    } else if let Some(rest) = declaration.strip_prefix("typedef ") {
        let name = rest.split_once("(*").and_then(|(_, rest)| rest.split_once(')')).expect(&wrong).0;
        items.push(Item::Callback { name: own(name), signature: own(rest) });
    } else {
        let (before, _) = declaration.split_once('(').expect(&wrong);
        let name = before.rsplit([' ', '*']).next().expect(&wrong);
        items.push(Item::Function { name: own(name), signature: own(declaration) });
    }
}

/// A member from `const char *data` or `char scope[LUIGI_NAME_SIZE]`.
fn member(declared: &str) -> Member {
    let (front, array) = declared.find('[').map_or((declared, ""), |at| declared.split_at(at));
    let at = front.rfind([' ', '*']).expect("a member has a type") + 1;
    let (of, name) = front.split_at(at);
    Member { name: name.to_owned(), of: format!("{}{array}", of.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "/* about */
#ifndef LUIGI_H
#define LUIGI_H
#include <stdint.h>
#define LUIGI_SIZE 7
enum luigi_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /** Fine; really. */
    LUIGI_STATUS_OK = 0,
    LUIGI_STATUS_NULL = 1,
};
#ifndef __cplusplus
typedef enum luigi_status luigi_status;
typedef int32_t luigi_status;
#endif
typedef void (*luigi_callback)(void *user_data,
                               int32_t level);
typedef struct {
    const char *data;
    char name[LUIGI_SIZE];
    luigi_callback told;
} luigi_x;
#ifdef __cplusplus
extern \"C\" {
#endif // __cplusplus
const char *luigi_version(void);
luigi_status luigi_do(luigi_x x,
                      int32_t n);
#ifdef __cplusplus
}  // extern \"C\"
#endif
#endif
static inline int luigi_of(const char *text) {
    return text == NULL ? 0 : 1;
}
";

    #[test]
    fn everything_is_read() {
        let text = str::to_owned;
        let member = |name: &str, of: &str| Member { name: text(name), of: text(of) };
        let expected = [
            Item::Constant(text("LUIGI_SIZE")),
            Item::Enum { name: text("luigi_status"), of: text("int32_t") },
            Item::Number { of: text("luigi_status"), name: text("LUIGI_STATUS_OK") },
            Item::Number { of: text("luigi_status"), name: text("LUIGI_STATUS_NULL") },
            Item::Callback {
                name: text("luigi_callback"),
                signature: text("void (*luigi_callback)(void *user_data, int32_t level)"),
            },
            Item::Struct {
                name: text("luigi_x"),
                members: vec![
                    member("data", "const char *"),
                    member("name", "char[LUIGI_SIZE]"),
                    member("told", "luigi_callback"),
                ],
            },
            Item::Function { name: text("luigi_version"), signature: text("const char *luigi_version(void)") },
            Item::Function { name: text("luigi_do"), signature: text("luigi_status luigi_do(luigi_x x, int32_t n)") },
            Item::Inline(text("int luigi_of(const char *text)")),
        ];
        assert_eq!(items(HEADER), expected);
    }

    #[test]
    fn nothing_is_passed_over() {
        for (before, after) in [
            ("#define LUIGI_SIZE 7", "#define LUIGI_SIZE { 7, }"),
            ("#define LUIGI_SIZE 7", "#pragma pack(1)"),
            ("typedef int32_t luigi_status", "typedef int64_t luigi_status"),
            ("typedef int32_t luigi_status", "typedef int32_t luigi_other"),
            ("const char *luigi_version(void)", "extern int luigi_global"),
        ] {
            let changed = HEADER.replace(before, after);
            assert_ne!(changed, HEADER);
            assert!(std::panic::catch_unwind(|| items(&changed)).is_err(), "{after}");
        }
    }
}
