namespace Qcow2.PowerShell.Infrastructure;

/// <summary>
/// Paths that mean something else to Windows than they seem to. PowerShell's own cmdlets refuse streams, which they take by a parameter, and devices
/// where they make files; they shorten names without a word, which a file that may replace another must not do.
/// </summary>
internal static class WindowsTypedPath
{
    private static readonly string[] Devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

    /// <summary>Says what is wrong with a path; null for nothing.</summary>
    /// <param name="full">Full path of the file system, as PowerShell has it.</param>
    /// <param name="isNew">Whether a file is to be made there.</param>
    internal static string? ProblemOf(string full, bool isNew)
    {
        if (full.StartsWith(@"\\.\", StringComparison.Ordinal))
        {
            return null; // A device by its own name.
        }

        int start = full.StartsWith(@"\\?\", StringComparison.Ordinal) ? 4 : 0;
        int drive = full.Length > start + 1 && full[start + 1] == ':' ? start + 2 : start;
        int colon = full.IndexOf(':', drive);
        string name = full.Substring(full.LastIndexOfAny(['\\', '/']) + 1);
        if (colon >= 0)
        {
            return $"{full}: this names a stream ('{full.Substring(colon + 1)}') of the file {full.Substring(0, colon)}. An image is a file of its own; copy the stream to one.";
        }

        if (DeviceOf(name) is string device && (isNew || string.Equals(device, name.TrimEnd(' ', '.'), StringComparison.OrdinalIgnoreCase)))
        {
            return $"{full}: '{name}' is the name of a device to Windows ({device}) in every folder{(name.Contains('.') ? ", on some versions with every ending, too" : "")}. Choose another name.";
        }

        string kept = name.TrimEnd(' ', '.');
        return isNew && start == 0 && kept.Length < name.Length && kept.Length > 0
            ? $"{full}: Windows drops the dots and blanks at the end of a name, so that this would be the file '{kept}'. Say that name if it is meant."
            : null;
    }

    private static string? DeviceOf(string name)
    {
        int dot = name.IndexOf('.');
        string stem = (dot < 0 ? name : name.Substring(0, dot)).TrimEnd(' ').ToUpperInvariant();
        bool isPort = stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal))
            && stem[3] is (>= '1' and <= '9') or '\u00b9' or '\u00b2' or '\u00b3';
        return isPort || Array.IndexOf(Devices, stem) >= 0 ? stem : null;
    }
}
