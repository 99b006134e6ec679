namespace Qcow2.PowerShell.Infrastructure;

/// <summary>How a cmdlet says to a server who asks, without being asked.</summary>
public enum WebAuthentication
{
    /// <summary>Not at all; a server that asks gets what the credentials say.</summary>
    None,

    /// <summary>By a user's name and a password.</summary>
    Basic,

    /// <summary>By a token.</summary>
    Bearer,

    /// <summary>By a token; another name for the same.</summary>
    OAuth,
}
