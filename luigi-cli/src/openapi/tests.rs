use super::{Changes, Vanished, merge, read};

const ORDERS: &str = r#"
openapi: 3.1.0
servers:
  - url: https://Orders.example.com:8443/{version}/
    variables: { version: { default: v1 } }
paths:
  /orders:
    get: { operationId: listOrders, tags: [Orders Read], summary: "List\n orders" }
    post: { operationId: createOrder }
  /orders/{orderId}:
    get: { operationId: getOrder }
    trace: {}
  /orders/{orderId}/files/{path+}:
    get: {}
  /reports/{day}.csv:
    get: { operationId: report }
  /shared:
    $ref: '#/components/pathItems/Shared'
  /elsewhere:
    $ref: 'other.yaml#/x'
  /admin:
    servers: [{ url: 'https://admin.example.com' }]
    delete: { operationId: list_orders }
    put: { operationId: ListOrders }
components: { pathItems: { Shared: { head: { operationId: shared.head } } } }
"#;

fn merged(old: &str, document: &str) -> (String, Changes) {
    merge(old, &read(document).unwrap(), &[], Vanished::Keep).unwrap()
}

#[test]
fn each_operation_becomes_a_scope() {
    let (text, changes) = merged("", ORDERS);
    assert_eq!(
        text,
        r#"schema = 1

# operation: ListOrders (PUT /admin)
# document: hosts = ["admin.example.com"]
[scopes.list-orders]
hosts = ["admin.example.com"]
operations = ["PUT /admin"]

# operation: list_orders (DELETE /admin)
# document: hosts = ["admin.example.com"]
[scopes.list_orders]
hosts = ["admin.example.com"]
operations = ["DELETE /admin"]

# operation: listOrders (GET /v1/orders)
# document: description = "List orders", hosts = ["orders.example.com"], tags = ["orders-read"]
[scopes.list-orders-2]
description = "List orders"
hosts = ["orders.example.com"]
operations = ["GET /v1/orders"]
tags = ["orders-read"]

# operation: createOrder (POST /v1/orders)
# document: hosts = ["orders.example.com"]
[scopes.create-order]
hosts = ["orders.example.com"]
operations = ["POST /v1/orders"]

# operation: getOrder (GET /v1/orders/{orderId})
# document: hosts = ["orders.example.com"]
[scopes.get-order]
hosts = ["orders.example.com"]
operations = ["GET /v1/orders/{orderId}"]

# operation: GET /orders/{orderId}/files/{path+} (GET /v1/orders/{orderId}/files/**)
# document: hosts = ["orders.example.com"]
[scopes.get-orders-order-id-files]
hosts = ["orders.example.com"]
operations = ["GET /v1/orders/{orderId}/files/**"]

# operation: shared.head (HEAD /v1/shared)
# document: hosts = ["orders.example.com"]
[scopes."shared.head"]
hosts = ["orders.example.com"]
operations = ["HEAD /v1/shared"]
"#
    );
    assert_eq!(changes.new.len(), 7);
}

#[test]
fn what_cannot_be_a_scope_is_said_with_the_cure() {
    let problems = read(ORDERS).unwrap().problems;
    let says = |words: &[&str]| problems.iter().any(|problem| words.iter().all(|word| problem.contains(word)));
    assert!(says(&["TRACE /orders/{orderId}"]), "{problems:?}");
    assert!(says(&["GET /reports/{day}.csv", "path-regex"]), "{problems:?}");
    assert!(says(&["/elsewhere", "other.yaml", "one file"]), "{problems:?}");
    assert_eq!(problems.len(), 3, "{problems:?}");
    let odd = r#"{"swagger": "2.0", "host": "a.test", "basePath": "/v2", "paths": {"/a*b": {"get": {}}, "/c": {"get": {}}, "x-d": {}}}"#;
    let odd = read(odd).unwrap();
    assert_eq!(odd.operations[0].lines, ["GET /v2/c"]);
    assert!(odd.problems[0].contains("GET /a*b"), "{:?}", odd.problems);
}

#[test]
fn what_people_wrote_stays() {
    let (text, _) = merged("", ORDERS);
    let edited = text
        .replace("[scopes.get-order]", "[scopes.one-order]  # ours")
        .replace(
            "operations = [\"POST /v1/orders\"]\n",
            "operations = [\"POST /v1/orders\", \"POST /v1/orders/bulk\"]\nprivileged = true\n",
        )
        .replace(
            "hosts = [\"orders.example.com\"]\noperations = [\"GET /v1/orders\"]",
            "hosts = [\"orders.{domain}\"]\noperations = [\"GET /v1/orders\"]",
        )
        + "\n[scopes.health]\nhosts = \"any\"\noperations = [\"GET /healthz\"]\n";
    let (again, changes) = merged(&edited, ORDERS);
    assert_eq!(again, edited);
    assert_eq!(changes, Changes { same: 7, ..Changes::default() });

    let newer = ORDERS
        .replace("/orders:\n", "/purchases:\n")
        .replace("/admin:", "/admin/{id}:")
        .replace("put: { operationId: ListOrders }", "");
    let (moved, changes) = merged(&edited, &newer);
    assert_eq!(changes.vanished, ["list-orders"]);
    assert_eq!(changes.new, Vec::<String>::new());
    let changed: Vec<_> = changes.changed.iter().map(|(name, _, after)| (name.as_str(), after.join(", "))).collect();
    assert_eq!(
        changed,
        [
            ("list_orders", "DELETE /admin/{id}".to_owned()),
            ("list-orders-2", "GET /v1/purchases".to_owned()),
            ("create-order", "POST /v1/orders/bulk, POST /v1/purchases".to_owned()),
        ],
        "an operation that no document ever had is somebody's own"
    );
    assert!(
        moved.contains("orders.{domain}")
            && moved.contains("[scopes.one-order]  # ours")
            && moved.contains("privileged = true")
    );
    assert!(moved.contains("[scopes.list-orders]"));
    let (pruned, _) = merge(&edited, &read(&newer).unwrap(), &[], Vanished::Remove).unwrap();
    assert!(!pruned.contains("[scopes.list-orders]") && pruned.contains("[scopes.health]"));
}

#[test]
fn files_that_cannot_be_merged_are_refused() {
    let description = read(ORDERS).unwrap();
    let refused = |text: &str| merge(text, &description, &[], Vanished::Keep).unwrap_err();
    assert!(refused("scopes = [").contains("not TOML"));
    assert!(refused("scopes = 1").contains("[scopes.NAME]"));
    assert!(refused("scopes.list-orders = 1").contains("list-orders"));
    let taken = "# operation: other\n[scopes.list-orders]\nhosts = [\"a\"]\noperations = [\"GET /\"]\n";
    assert!(refused(taken).contains("rename the scope"));
    let own = |operation: &str| {
        format!("schema = 1\n[scopes.create-order]\nhosts = [\"a\"]\noperations = [\"{operation}\"]\n")
    };
    assert!(refused(&own("GET /reports")).contains("`# operation: createOrder`"), "{}", refused(&own("GET /reports")));
    let (text, changes) = merge(&own("POST /v1/orders"), &description, &[], Vanished::Keep).unwrap();
    assert_eq!((changes.same, changes.new.len()), (1, 6));
    assert!(text.starts_with(&own("POST /v1/orders")), "{text}");
    let nowhere = read("openapi: 3.0.0\npaths: { /a: { get: {} } }").unwrap();
    assert!(merge("", &nowhere, &[], Vanished::Keep).unwrap_err().contains("--host"));
    let (text, _) = merge("", &nowhere, &["a.test".to_owned()], Vanished::Keep).unwrap();
    assert!(text.contains("hosts = [\"a.test\"]\noperations = [\"GET /a\"]"), "{text}");
}

#[test]
fn documents_that_are_none_are_refused() {
    for (text, says) in [
        ("", "no OpenAPI document"),
        ("a: [", "not YAML"),
        ("{\"openapi\": \"3.0.0\"", "not JSON"),
        ("openapi: 4.0.0", "no OpenAPI document"),
        ("openapi: 3.0.0", "no `paths`"),
        (
            "a: &a [1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n",
            "not YAML",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn hosts_tags_and_summaries_follow_the_document_until_somebody_writes_others() {
    let (text, _) = merged("", ORDERS);
    let newer = ORDERS
        .replace("https://Orders.example.com:8443", "https://api.example.com")
        .replace("tags: [Orders Read], summary: \"List\\n orders\"", "tags: [reads]");
    let (moved, changes) = merged(&text, &newer);
    let said = |changes: &Changes| -> Vec<String> {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_default();
        let one = |it: &super::Said| {
            format!("{} {} {} > {} {}", it.scope, it.key, or_none(&it.before), or_none(&it.document), it.taken)
        };
        changes.said.iter().map(one).collect()
    };
    let found = said(&changes);
    assert_eq!(found.len(), 7, "{found:#?}");
    for expected in [
        r#"list-orders-2 description "List orders" >  true"#,
        r#"list-orders-2 hosts ["orders.example.com"] > ["api.example.com"] true"#,
        r#"list-orders-2 tags ["orders-read"] > ["reads"] true"#,
        r#"create-order hosts ["orders.example.com"] > ["api.example.com"] true"#,
    ] {
        assert!(found.iter().any(|one| one == expected), "{expected}: {found:#?}");
    }
    let (fresh, _) = merged("", &newer);
    assert_eq!(moved, fresh, "as if it had been written today");

    // What people wrote stays, and is said once.
    let ours = text.replacen(
        "hosts = [\"orders.example.com\"]\noperations = [\"POST",
        "hosts = [\"orders.{domain}\"]  # ours\noperations = [\"POST",
        1,
    );
    assert_ne!(ours, text);
    let (kept, changes) = merged(&ours, &newer);
    let expected = r#"create-order hosts ["orders.{domain}"] > ["api.example.com"] false"#;
    assert!(said(&changes).iter().any(|one| one == expected), "{:#?}", said(&changes));
    assert!(kept.contains("hosts = [\"orders.{domain}\"]  # ours"), "{kept}");
    assert_eq!(merged(&kept, &newer), (kept.clone(), Changes { same: 7, ..Changes::default() }));

    // Of a file that does not say what was taken nobody knows whose it is.
    let before: String =
        text.lines().filter(|line| !line.starts_with("# document: ")).map(|line| format!("{line}\n")).collect();
    let (noted, changes) = merged(&before, ORDERS);
    assert_eq!((noted, changes.noted, changes.said.len()), (text, 7, 0));
    let (_, changes) = merged(&before, &newer);
    assert!(changes.noted == 7 && changes.said.iter().all(|said| !said.taken), "{:#?}", said(&changes));
}

#[test]
fn every_address_of_a_server_is_a_host() {
    let document = |variables: &str| {
        format!(
            "openapi: 3.0.0\nservers:\n  - url: 'https://{{region}}.example.com/{{version}}'\n    variables: {{ {variables} }}\npaths: {{ /a: {{ get: {{}} }} }}\n"
        )
    };
    let found_in = |variables: &str| read(&document(variables)).unwrap();
    let found = found_in("region: { default: eu, enum: [us, eu, ap] }, version: { enum: [v1] }");
    assert_eq!(found.operations[0].hosts, ["ap.example.com", "eu.example.com", "us.example.com"]);
    assert_eq!((&found.operations[0].lines[..], &found.problems[..]), (&["GET /v1/a".to_owned()][..], &[][..]));
    let many: Vec<String> = (0..70).map(|n| format!("r{n}")).collect();
    let found =
        found_in(&format!("region: {{ default: eu, enum: [{}] }}, version: {{ default: v1 }}", many.join(", ")));
    assert_eq!(found.operations[0].hosts, ["eu.example.com"]);
    assert!(found.problems[0].contains("more than 64 addresses"), "{:?}", found.problems);
}

#[test]
fn references_in_a_circle_are_said() {
    let found = read(
        "openapi: 3.1.0\nservers: [{ url: 'https://a.test' }]\npaths:\n  /a: { $ref: '#/x/one' }\n  /b: { $ref: '#/x/two' }\n  /c: { $ref: '#/x/three' }\n\
         x: { one: { $ref: '#/x/two' }, two: { $ref: '#/x/one' }, three: { $ref: '#/x/four' }, four: { get: {} } }\n",
    )
    .unwrap();
    assert_eq!(found.operations.iter().map(|one| one.lines[0].as_str()).collect::<Vec<_>>(), ["GET /c"]);
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    assert!(
        found.problems.iter().all(|problem| problem.contains("refers to itself in the end")),
        "{:?}",
        found.problems
    );
}

#[test]
fn an_id_that_stands_twice_names_one_operation() {
    let document = "openapi: 3.1.0\nservers: [{ url: 'https://a.test' }]\npaths:\n  /a: { get: { operationId: \"x\\u0001y\" } }\n  /b: { get: { operationId: x y } }\n";
    let found = read(document).unwrap();
    assert_eq!(found.operations.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["x y", "x y GET /b"]);
    assert!(found.problems[0].contains("stands twice"), "{:?}", found.problems);
    let (text, _) = merged("", document);
    assert_eq!(merged(&text, document), (text.clone(), Changes { same: 2, ..Changes::default() }));
}
