//! Who opens a link: a person, or a program that only wants to see what is there.

use axum::http::{HeaderMap, Method};
use passpool_store::Visitor;

/// Parts of the `User-Agent` of programs that fetch links which somebody sends: chat previews, mail scanners, search
/// engines. In lower case.
const ROBOTS: [&str; 35] = [
    "applebot",
    "barracuda",
    "bingpreview",
    "bitlybot",
    "bot (",
    "bot)",
    "bot/",
    "bot;",
    "cardyb",
    "crawler",
    "embedly",
    "facebookcatalog",
    "facebookexternalhit",
    "google-pagerenderer",
    "google-safety",
    "googleimageproxy",
    "iframely",
    "linkpreview",
    "mastodon/",
    "mattermost",
    "microsoft office",
    "mimecast",
    "ms-office",
    "outlook-express",
    "pinterest",
    "proofpoint",
    "safelinks",
    "skypeuripreview",
    "slack-imgproxy",
    "slackbot",
    "snap url preview",
    "spider",
    "vkshare",
    "whatsapp/",
    "yahoo! slurp",
];

/// What a browser calls a request whose answer somebody is going to look at, or a script of theirs.
const LOOKED_AT: [&str; 2] = ["document", "empty"];

/// A request without a `User-Agent` is a person's: a wallet that sends none shall not be taken for a robot.
pub(in crate::http) fn visitor(method: &Method, headers: &HeaderMap) -> Visitor {
    let is_robot = method == Method::HEAD || is_fetched_ahead(headers) || is_embedded(headers) || is_known(headers);
    if is_robot { Visitor::Robot } else { Visitor::Person }
}

fn is_fetched_ahead(headers: &HeaderMap) -> bool {
    let says = |name, word| text(headers, name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .any(|name| says(name, "prefetch") || says(name, "preview"))
}

fn is_embedded(headers: &HeaderMap) -> bool {
    text(headers, "sec-fetch-dest").is_some_and(|dest| !LOOKED_AT.contains(&dest))
}

fn is_known(headers: &HeaderMap) -> bool {
    let agent = text(headers, "user-agent").unwrap_or_default().to_ascii_lowercase();
    ROBOTS.iter().any(|robot| agent.contains(robot))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, headers: &[(&'static str, &str)], expected: Visitor) {
        let map = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(visitor(&method, &map), expected, "{method} {headers:?}");
    }

    #[test]
    fn link_previews_and_scanners_are_robots() {
        for agent in [
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Twitterbot/1.0",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "WhatsApp/2.23.20.0 A",
            "TelegramBot (like TwitterBot)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) Safari/605.1.15 (Applebot/0.1)",
            "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
            "Mastodon/4.3.0 (http.rb/5.2.0; +https://social.example/) Bot",
            "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)",
            "ZoomBot (zoombot@zoom.us)",
        ] {
            check(Method::GET, &[("user-agent", agent)], Visitor::Robot);
        }
    }

    #[test]
    fn what_is_fetched_ahead_or_embedded_is_a_robots() {
        check(Method::HEAD, &[], Visitor::Robot);
        check(Method::GET, &[("sec-purpose", "prefetch;prerender")], Visitor::Robot);
        check(Method::GET, &[("purpose", "prefetch")], Visitor::Robot);
        check(Method::GET, &[("x-purpose", "preview")], Visitor::Robot);
        check(Method::GET, &[("x-moz", "prefetch")], Visitor::Robot);
        check(Method::GET, &[("sec-fetch-dest", "image")], Visitor::Robot);
        check(Method::GET, &[("sec-fetch-dest", "iframe")], Visitor::Robot);
    }

    #[test]
    fn people_are_no_robots() {
        check(Method::GET, &[], Visitor::Person);
        check(Method::GET, &[("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")], Visitor::Person);
        check(Method::GET, &[("sec-fetch-dest", "empty")], Visitor::Person);
        for agent in [
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
            "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
            "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        ] {
            check(Method::GET, &[("user-agent", agent)], Visitor::Person);
        }
    }
}
