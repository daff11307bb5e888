//! The profiles in `~/.aws/credentials` and `~/.aws/config`.

/// What a profile may say, and the variable that says the same.
const KNOWN: [(&str, &str); 6] = [
    ("aws_access_key_id", "AWS_ACCESS_KEY_ID"),
    ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("aws_session_token", "AWS_SESSION_TOKEN"),
    ("region", "AWS_REGION"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
    ("ca_bundle", "AWS_CA_BUNDLE"),
];

/// What the two files say of a profile, by variable; `credentials` comes before `config`.
pub fn read(credentials: &str, config: &str, name: &str) -> Vec<(&'static str, String)> {
    let in_config = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for (key, value) in section(credentials, name).chain(section(config, &in_config)) {
        if let Some((_, variable)) = KNOWN.iter().find(|(known, _)| *known == key)
            && !found.iter().any(|(earlier, _)| earlier == variable)
        {
            found.push((variable, value.to_owned()));
        }
    }
    found
}

/// The keys and values of a section. An indented line belongs to the nested setting above it.
fn section<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = text.lines().skip_while(move |line| header(line) != Some(name)).skip(1);
    let lines = lines.take_while(|line| header(line).is_none());
    let plain = lines.filter(|line| !line.starts_with([' ', '\t', '#', ';']));
    plain.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()))
}

fn header(line: &str) -> Option<&str> {
    line.trim().strip_prefix('[')?.split(']').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials =
            "[default]\naws_access_key_id = A\n\n[audit]\n# note\naws_access_key_id=B\naws_secret_access_key = C=\n";
        let config = "[default]\nregion = eu-west-1\n[profile audit]\nregion = eu-central-1\ns3 =\n  endpoint_url = http://no\nendpoint_url = http://yes\naws_access_key_id = other\n";
        let found = read(credentials, config, "audit");
        let expected = [
            ("AWS_ACCESS_KEY_ID", "B"),
            ("AWS_SECRET_ACCESS_KEY", "C="),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", "http://yes"),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(read(credentials, config, "default").len(), 2);
        assert_eq!(read(credentials, config, "nobody"), []);
    }
}
