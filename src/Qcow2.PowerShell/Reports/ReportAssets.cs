using System.Security.Cryptography;
using System.Text;

namespace Qcow2.PowerShell.Reports;

/// <summary>The style and the script that every report has, and the policy that lets these two be and nothing else.</summary>
internal static class ReportAssets
{
    internal static string Style { get; } = Read("report.css");

    internal static string Script { get; } = Read("report.js");

    /// <summary>The Content-Security-Policy: nothing is loaded, and of style and script only what has these sums.</summary>
    internal static string Policy { get; } = $"default-src 'none'; style-src '{Sum(Style)}'; script-src '{Sum(Script)}'; base-uri 'none'; form-action 'none'";

    private static string Read(string name)
    {
        Type type = typeof(ReportAssets);
        using Stream stream = type.Assembly.GetManifestResourceStream($"{type.Namespace}.{name}") ?? throw new InvalidOperationException($"The module lacks {name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().Replace("\r\n", "\n"); // As browsers read it, whose sum it is.
    }

    private static string Sum(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
#if NET
        byte[] sum = SHA256.HashData(bytes);
#else
        using var sha = SHA256.Create();
        byte[] sum = sha.ComputeHash(bytes);
#endif
        return "sha256-" + Convert.ToBase64String(sum);
    }
}
