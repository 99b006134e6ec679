using System.Security.Cryptography;
using System.Text;

namespace Qcow2.Engine.Storage;

/// <summary>
/// The hidden name of a file that is not complete yet, from which this engine, and on this machine only, can tell that it is its own:
/// <c>.NAME.</c>, sixteen random digits, sixteen that follow from those, the name and the machine, <c>.tmp</c>.
/// </summary>
internal static class IncompleteName
{
    /// <summary>What <see cref="IsOurs"/> is asked of.</summary>
    internal const string Pattern = ".*.tmp";

    private const string Ending = ".tmp";
    private const int MaxNameBytes = 200; // Most hosts allow names of 255 bytes, and what is added takes 38.
    private const int RandomDigits = 16;
    private const int Digits = 32;

    private static readonly string Machine = MachineName();

    /// <summary>A name that nobody has had yet.</summary>
    /// <param name="name">The name of the complete file.</param>
    internal static string For(string name)
    {
        string prefix = Encoding.UTF8.GetByteCount(name) <= MaxNameBytes ? name : "";
        string random = Guid.NewGuid().ToString("N").Substring(0, RandomDigits);
        return $".{prefix}.{random}{MarkOf(prefix, random)}{Ending}";
    }

    /// <summary>Whether a name is one that this engine gave to a file on this machine.</summary>
    internal static bool IsOurs(string name)
    {
        int digits = name.Length - Ending.Length - Digits;
        if (digits < 2 || name[0] != '.' || name[digits - 1] != '.' || !name.EndsWith(Ending, StringComparison.Ordinal))
        {
            return false;
        }

        string random = name.Substring(digits, RandomDigits);
        return name.Substring(digits + RandomDigits, Digits - RandomDigits) == MarkOf(name.Substring(1, Math.Max(0, digits - 2)), random);
    }

    private static string MarkOf(string prefix, string random)
    {
        byte[] text = Encoding.UTF8.GetBytes($"incomplete file of Qcow2.Engine\n{Machine}\n{prefix}\n{random}");
#if NET
        byte[] sum = SHA256.HashData(text);
#else
        using var hash = SHA256.Create();
        byte[] sum = hash.ComputeHash(text);
#endif
        return string.Concat(sum.Take((Digits - RandomDigits) / 2).Select(one => one.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
    }

    /// <summary>Machines that share a folder over the network do not always see each other's locks.</summary>
    private static string MachineName()
    {
        try
        {
            return Environment.MachineName + (File.Exists("/etc/machine-id") ? File.ReadAllText("/etc/machine-id").Trim() : "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            return "";
        }
    }
}
