namespace Qcow2.Engine.Storage;

/// <summary>Paths as the functions of Windows take them.</summary>
internal static class WindowsPath
{
    /// <summary>The longest path that they take as it stands: MAX_PATH without its zero, and room for an 8.3 name that folders need.</summary>
    private const int MaxShort = 247;

    private const string Extended = @"\\?\";

    /// <summary>
    /// A path that may be longer than MAX_PATH, whatever the process and the machine are set to. .NET does that for its own calls, and for none
    /// that are made here.
    /// </summary>
    /// <param name="full">Full path, as <see cref="System.IO.Path.GetFullPath(string)"/> makes it.</param>
    internal static string ForHost(string full)
        => full.Length <= MaxShort || full.StartsWith(Extended, StringComparison.Ordinal) || full.StartsWith(@"\\.\", StringComparison.Ordinal) ? full
            : full.StartsWith(@"\\", StringComparison.Ordinal) ? $@"{Extended}UNC\{full.Substring(2)}"
            : Extended + full;
}
