//! Limits by address: a stranger is stopped, and nobody else is.

use crate::{
    client::{Client, RESERVE},
    shop::{Server, Shop},
};

/// Comes back far more slowly than a client asks, so its end is reached.
const BURST: usize = 600;

/// Asks for something that is not there until the limit is reached. Gives how often that was.
fn use_up(client: impl Fn(usize) -> Client) -> usize {
    for asked in 0..20 * BURST {
        let answer = client(asked).get("/v1/nothing");
        if answer.status == 429 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("retry-after"), Some("1"));
            return asked;
        }
        assert_eq!(answer.status, 404);
    }
    panic!("there is no limit");
}

/// Somebody behind the proxy. One connection serves all.
fn behind(server: &Server, address: &str) -> Client {
    server.stranger().with("x-forwarded-for", address.as_bytes())
}

#[test]
fn a_stranger_is_stopped_and_neither_another_one_nor_a_good_key_nor_health_is() {
    let shop = Shop::with(3, "vip");
    let key = shop.key("crm", "certCreate");
    let server = shop.serve_with(&["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "127.0.0.1"]);
    let greedy = behind(&server, "192.0.2.1, 10.1.2.3");
    assert!(use_up(|_| greedy.again()) >= BURST);
    assert_eq!(behind(&server, "192.0.2.2").get("/v1/nothing").status, 404);
    assert_eq!(behind(&server, "192.0.2.1, 192.0.2.2").get("/v1/nothing").status, 404);
    assert_eq!(server.stranger().get("/v1/nothing").status, 404, "the proxy itself");
    for _ in 0..2 * BURST {
        assert_eq!(greedy.get("/healthz").status, 200);
    }
    use_up(|_| greedy.again());
    assert_eq!(greedy.get("/readyz").status, 200);
    assert_eq!(greedy.get(RESERVE).status, 403, "a wrong key is told so");
    // On a slow machine one request has come back meanwhile, so a person may get through before being stopped.
    let person = behind(&server, "192.0.2.1").with("accept", b"text/html,application/xhtml+xml");
    let stopped = (0..20 * BURST).map(|_| person.get("/1,abc")).find(|answer| answer.status == 429).unwrap();
    assert!(stopped.body.contains("Many people are here"), "{}", stopped.body);
    let brand = behind(&server, "192.0.2.1").with("x-api-key", key.as_bytes());
    assert_eq!(brand.reserve("tags=vip&format=link").status, 200);
    for _ in 0..2 * BURST {
        assert_eq!(brand.get("/v1/nothing").status, 404);
    }
}

#[test]
fn who_is_no_trusted_proxy_cannot_say_who_asks() {
    for trusted in [&[][..], &["--trusted-proxy", "10.0.0.0/8"]] {
        let shop = Shop::empty();
        let server = shop.serve_with(trusted);
        let client = server.stranger();
        let asked = use_up(|asked| {
            let address = format!("192.0.2.{}", asked % 256);
            let forwarded = format!("for={address}");
            client.again().with("x-forwarded-for", address.as_bytes()).with("forwarded", forwarded.as_bytes())
        });
        assert!(asked >= BURST, "{asked}");
    }
}

#[test]
fn a_proxy_that_is_no_address_is_refused() {
    let shop = Shop::with(1, "vip");
    let check = |given: &str, named: &str| {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--trusted-proxy", given];
        shop.refused(2, &arguments, &["--trusted-proxy", named]);
    };
    check("proxy.example", "'proxy.example'");
    check("10.0.0.0/33", "neither an address nor a network");
    check("127.0.0.1,10.0.0.0/8,", "neither an address nor a network");
    check("::ffff:10.0.0.1", "write it as IPv4");
}

#[test]
fn proxies_may_be_named_in_the_environment_and_in_the_configuration() {
    let shop = Shop::with(1, "vip");
    let config = shop.file("passpool.toml", "trusted-proxy = [\"10.0.0.0/8\", \"127.0.0.1\"]\n");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (name, value) in [("PASSPOOL_TRUSTED_PROXY", "10.0.0.0/8,127.0.0.1"), ("PASSPOOL_CONFIG", config.as_str())] {
        let server = Server::start(shop.command(&serve).env(name, value), &[]);
        let greedy = behind(&server, "192.0.2.1");
        use_up(|_| greedy.again());
        assert_eq!(behind(&server, "192.0.2.2").get("/v1/nothing").status, 404, "{name}");
        drop(server);
    }
}
