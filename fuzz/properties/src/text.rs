//! Text files: recipes, and the histories of training runs.

use picomlp_cli::fuzzing;

/// A recipe's settings are words that a shell would give back as they are.
pub fn recipe(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let recipe = fuzzing::recipe(text);
    match &recipe {
        Ok(settings) => {
            assert!(!settings.is_empty());
            for (flag, words) in settings {
                let split = shell_words::split(words).unwrap();
                assert!(split.len() <= 2, "{flag}: {words}");
            }
        }
        Err(error) => assert!(format!("{error:#}").starts_with("recipe.toml"), "{error:#}"),
    }
    recipe.is_ok()
}

/// A valid history can be drawn, at finite coordinates.
pub fn history(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let history = fuzzing::history(text);
    match &history {
        Ok(svg) => assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}"),
        Err(error) => assert!(!format!("{error:#}").is_empty()),
    }
    history.is_ok()
}
