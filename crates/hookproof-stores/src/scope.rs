use core::fmt;

/// The name under which a shared store keeps a service's events apart: 1 to 255 printable ASCII characters.
///
/// ```
/// use hookproof_stores::Scope;
///
/// assert_eq!(Scope::new("crm")?.as_str(), "crm");
/// assert!(Scope::new("").is_err(), "two services on one store would swallow each other's events");
/// # Ok::<(), hookproof_stores::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

/// What was given is no [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeError;

impl Scope {
    /// `scope`, if it can be one.
    ///
    /// # Errors
    /// [`ScopeError`] if it is empty, longer than 255 characters, or holds anything but printable ASCII.
    pub fn new(scope: impl Into<String>) -> Result<Self, ScopeError> {
        let scope = scope.into();
        // Printable ASCII, so that it stands in keys, tables and logs as it was written.
        let fits = (1..=255).contains(&scope.len()) && scope.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fits { Ok(Self(scope)) } else { Err(ScopeError) }
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`scope` names the endpoint or tenant of a shared store: 1 to 255 printable ASCII characters")
    }
}

impl core::error::Error for ScopeError {}
