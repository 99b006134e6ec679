namespace Qcow2.Engine.Http;

/// <summary>Addresses of files on servers: which are taken, and how they are shown.</summary>
public static class HttpAddress
{
    /// <summary>Says what keeps an address from being one of a file on a server.</summary>
    /// <param name="address">The address.</param>
    /// <returns>What is wrong with it, as a sentence that does not show it; null for nothing.</returns>
    public static string? ProblemOf(Uri address)
        => !address.IsAbsoluteUri ? "This is no full address: it begins with https:// or http://."
            : !IsHttp(address) ? $"This is an address of the scheme '{Errors.PrintableText.Of(address.Scheme)}'; only https and http are read."
            : address.Host.Length == 0 ? "This address names no server."
            : address.UserInfo.Length > 0 ? "This address has a user's name or password in it, which would show wherever it does. Leave them out, and give them as credentials."
            : null;

    /// <summary>
    /// How an address is shown: without the query, which of signed addresses is a secret, without a user's name, and without what only browsers look at.
    /// </summary>
    /// <param name="address">The address.</param>
    public static string Show(Uri address)
    {
        if (!address.IsAbsoluteUri || !IsHttp(address))
        {
            string text = address.OriginalString.Split('?', '#')[0];
            return Errors.PrintableText.Of(text.Substring(text.LastIndexOf('@') + 1));
        }

        string shown = address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        return address.Query.Length > 1 ? shown + "?..." : shown;
    }

    /// <summary>How the path ends, with the dot, which is a word on what the file is; empty for none.</summary>
    /// <param name="address">The address.</param>
    public static string ExtensionOf(Uri address)
    {
        string path = Uri.UnescapeDataString(address.AbsolutePath);
        string name = path.Substring(path.LastIndexOf('/') + 1);
        int dot = name.LastIndexOf('.');
        return dot < 0 ? "" : name.Substring(dot);
    }

    /// <summary>Whether a text begins as an address of a file on a server does.</summary>
    /// <param name="text">The text.</param>
    public static bool IsLike(string text)
        => text.StartsWith("https://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("http://", StringComparison.OrdinalIgnoreCase);

    internal static bool IsHttp(Uri address) => address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp;

    internal static bool IsEncrypted(Uri address) => address.Scheme == Uri.UriSchemeHttps;

    /// <summary>Whether two addresses lead to one server by one way, so that what is a secret between it and us stays one.</summary>
    internal static bool IsSameOrigin(Uri one, Uri other)
        => one.Scheme == other.Scheme && one.Port == other.Port && string.Equals(one.Host, other.Host, StringComparison.OrdinalIgnoreCase);
}
