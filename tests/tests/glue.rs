//! What the glue does when the module under it fails; with a glue that was changed for the purpose, on both HAProxys.

use luigi_runtime::Mode;
use luigi_tests::feed::numbered_policy;
use luigi_tests::haproxy::Setup;
use luigi_tests::installation::{Build, Release, home};
use luigi_tests::on_each_haproxy;
use luigi_tests::site::Site;
use std::fs;
use std::os::unix::fs::symlink;

on_each_haproxy!(a_poll_that_fails_is_logged_and_tried_again,);

/// Put before the glue: the first polls fail, one as the module tells of a panic and one as Lua does.
const FAILING_POLLS: &str = r#"
local loadlib = package.loadlib
package.loadlib = function(...)
  local opener, why = loadlib(...)
  return opener and function()
    local open = opener().open
    return { open = function()
      local functions, problem = open()
      if not functions then return nil, problem end
      local poll, polls = functions.poll, 0
      functions.poll = function()
        polls = polls + 1
        if polls == 1 then return nil, "a poll that says why it failed" end
        if polls == 2 then error("a poll that raised an error", 0) end
        return poll()
      end
      return functions
    end }
  end, why
end
"#;

fn a_poll_that_fails_is_logged_and_tried_again(release: Release) {
    let site = Site::new();
    site.apply(&numbered_policy(1), Some(Mode::Enforce));
    let (shipped, changed) = (home(Build::Plain), site.path("home"));
    fs::create_dir(&changed).expect("a folder in the test's folder");
    for entry in fs::read_dir(&shipped).expect("an installation") {
        let entry = entry.expect("a readable folder");
        symlink(entry.path(), changed.join(entry.file_name())).expect("a link in the test's folder");
    }
    let glue = fs::read_to_string(shipped.join("luigi.lua")).expect("the glue is in an installation");
    fs::remove_file(changed.join("luigi.lua")).expect("the link is ours");
    fs::write(changed.join("luigi.lua"), format!("{FAILING_POLLS}{glue}")).expect("a file in the test's folder");
    let Some(haproxy) = site.start(Setup { home: Some(changed), ..site.setup(release) }) else { return };
    let _ = haproxy.log_line(&["luigi: a poll that says why it failed"]);
    let _ = haproxy.log_line(&["a poll that raised an error"]);
    haproxy.status_with("failures               2");
    site.apply(&numbered_policy(2), None);
    haproxy.status_with("generation             2");
}
