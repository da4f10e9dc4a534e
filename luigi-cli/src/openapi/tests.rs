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
[scopes.list-orders]
hosts = ["admin.example.com"]
operations = ["PUT /admin"]

# operation: list_orders (DELETE /admin)
[scopes.list_orders]
hosts = ["admin.example.com"]
operations = ["DELETE /admin"]

# operation: listOrders (GET /v1/orders)
[scopes.list-orders-2]
description = "List orders"
hosts = ["orders.example.com"]
operations = ["GET /v1/orders"]
tags = ["orders-read"]

# operation: createOrder (POST /v1/orders)
[scopes.create-order]
hosts = ["orders.example.com"]
operations = ["POST /v1/orders"]

# operation: getOrder (GET /v1/orders/{orderId})
[scopes.get-order]
hosts = ["orders.example.com"]
operations = ["GET /v1/orders/{orderId}"]

# operation: GET /orders/{orderId}/files/{path+} (GET /v1/orders/{orderId}/files/**)
[scopes.get-orders-order-id-files]
hosts = ["orders.example.com"]
operations = ["GET /v1/orders/{orderId}/files/**"]

# operation: shared.head (HEAD /v1/shared)
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
