//! nginx and Apache httpd with a tree of static files, configured as people do. What lies under `/admin` and on the host for administration holds the
//! mark, and every answer from there has it in its head, too: one to HEAD has no body.

use crate::estate::{ADMIN_HOST, LAX_HOST, LEGACY_HOST, MARK};
use luigi_tests::wait;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running server of files; it is stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct FileServer {
    pub(crate) address: SocketAddr,
    child: Child,
    /// What staff alone may delete, and how often it was gone.
    order: PathBuf,
    deletions: AtomicUsize,
}

/// Writes the tree.
pub(crate) fn write_tree(folder: &Path) {
    for (name, text) in [
        ("www/index.html", "home"),
        ("www/public/a.txt", "public"),
        ("www/static/app.css", "style"),
        ("www/files/report.txt", "report"),
        ("www/nginx-orders/7", "order"),
        ("www/apache-orders/7", "order"),
        ("www/admin/index.html", MARK),
        ("www/admin/secret.txt", MARK),
        ("www/admin/users/export.csv", MARK),
        ("internal/index.html", MARK),
        ("internal/secret.txt", MARK),
        ("assets/logo.txt", "logo"),
    ] {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
}

/// A folder in which the servers, whoever they run as, can delete.
fn orders(folder: &Path, server: &str) -> PathBuf {
    let orders = folder.join(format!("www/{server}-orders"));
    fs::set_permissions(&orders, fs::Permissions::from_mode(0o777)).expect("the folder is there");
    orders
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a listener has an address")
}

fn installed(program: &str, package: &str) -> Command {
    assert!(Path::new(program).exists(), "no {program}: apt-get install {package}");
    Command::new(program)
}

impl FileServer {
    /// nginx from Debian: `merge_slashes` as by default, a prefix location, an `alias`, a regular expression and `try_files`. Whoever names no host gets the site
    /// for administration.
    pub(crate) fn nginx(folder: &Path) -> Self {
        let address = free_address();
        let at = folder.display();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {at}/nginx.pid;\nerror_log {at}/nginx-error.log;\nevents {{}}\n\
             http {{\n  access_log off;\n  keepalive_requests 1000000;\n  client_body_temp_path {at}/nginx-body;\n  proxy_temp_path {at}/nginx-proxy;\n  \
               fastcgi_temp_path {at}/nginx-fastcgi;\n  uwsgi_temp_path {at}/nginx-uwsgi;\n  scgi_temp_path {at}/nginx-scgi;\n  \
               large_client_header_buffers 4 32k;\n  \
               server {{\n    listen {address};\n    server_name www.example.com {LAX_HOST};\n    root {at}/www;\n    \
                 location / {{ try_files $uri $uri/ =404; }}\n    \
                 location /admin/ {{ add_header x-secret {MARK}; }}\n    \
                 location /orders/ {{ alias {at}/www/nginx-orders/; dav_methods DELETE; }}\n    \
                 location /assets/ {{ alias {at}/assets/; }}\n    \
                 location ~ ^/download/(.+)$ {{ alias {at}/www/files/$1; }}\n  }}\n  \
               server {{\n    listen {address};\n    server_name {LEGACY_HOST};\n    root {at}/www;\n    \
                 location ~* ^/admin(/|$) {{ add_header x-secret {MARK}; rewrite (?i)^/admin/(.*)$ /admin/$1 break; }}\n  }}\n  \
               server {{\n    listen {address} default_server;\n    server_name {ADMIN_HOST};\n    root {at}/internal;\n    add_header x-secret {MARK};\n  }}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration).expect("a file");
        let mut command = installed("/usr/sbin/nginx", "nginx");
        command.arg("-p").arg(folder).arg("-c").arg(file).arg("-e").arg(folder.join("nginx-start.log"));
        Self::start(command, address, &orders(folder, "nginx"))
    }

    /// Apache httpd from Debian, with `<Location>` and `<Directory>`, and WebDAV for orders.
    pub(crate) fn apache(folder: &Path) -> Self {
        let address = free_address();
        let at = folder.display();
        let modules: String = ["mpm_event", "authz_core", "dir", "headers", "alias", "mime", "dav", "dav_fs"]
            .iter()
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .collect();
        let configuration = format!(
            "{modules}ServerRoot {at}\nDefaultRuntimeDir {at}\nPidFile {at}/apache.pid\nErrorLog {at}/apache.log\nListen {address}\nUser www-data\nGroup www-data\nServerName www.example.com\n\
             TypesConfig /dev/null\nDirectoryIndex index.html\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\nLimitRequestLine 32000\nLimitRequestFieldSize 32000\n\
             DavLockDB {at}/www/apache-orders/.locks\n<Directory />\n  Require all granted\n</Directory>\n\
             <VirtualHost {address}>\n  ServerName www.example.com\n  DocumentRoot {at}/www\n  Alias /assets/ {at}/assets/\n  Alias /orders {at}/www/apache-orders\n  \
               <Location /orders>\n    Dav On\n  </Location>\n  <Location /admin>\n    Header set x-secret {MARK}\n  </Location>\n</VirtualHost>\n\
             <VirtualHost {address}>\n  ServerName {ADMIN_HOST}\n  DocumentRoot {at}/internal\n  Header set x-secret {MARK}\n</VirtualHost>\n"
        );
        let file = folder.join("apache.conf");
        fs::write(&file, configuration).expect("a file");
        let mut command = installed("/usr/sbin/apache2", "apache2-bin");
        command.arg("-f").arg(file).arg("-DFOREGROUND");
        Self::start(command, address, &orders(folder, "apache"))
    }

    /// How often the order was deleted so far. It is put back.
    pub(crate) fn deletions(&self) -> usize {
        if !self.order.exists() {
            fs::write(&self.order, "order").expect("a file");
            self.deletions.fetch_add(1, Ordering::Relaxed);
        }
        self.deletions.load(Ordering::Relaxed)
    }

    fn start(mut command: Command, address: SocketAddr, orders: &Path) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("the server can be started");
        let server = Self { address, child, order: orders.join("7"), deletions: AtomicUsize::new(0) };
        wait::until(&format!("{command:?} gives the secret to whoever asks it directly"), || {
            let ask = b"GET /admin/secret.txt HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n";
            let Ok(mut stream) = TcpStream::connect(address) else { return false };
            let mut answer = String::new();
            stream.write_all(ask).is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.ends_with(MARK)
        });
        wait::until(&format!("{command:?} deletes for whoever asks it directly"), || {
            let ask = b"DELETE /orders/7 HTTP/1.1\r\nhost: www.example.com\r\nconnection: close\r\n\r\n";
            let Ok(mut stream) = TcpStream::connect(address) else { return false };
            let mut answer = Vec::new();
            stream.write_all(ask).is_ok() && stream.read_to_end(&mut answer).is_ok() && server.deletions() > 0
        });
        server
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), pid) {
            // Apache's own children end with it only if it is asked politely.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}
