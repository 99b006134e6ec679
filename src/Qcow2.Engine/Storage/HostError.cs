namespace Qcow2.Engine.Storage;

/// <summary>
/// What the host says when a file cannot take what is written to it, in words that name the file as the user knows it: a file that is
/// being made has another name until it is complete.
/// </summary>
internal static class HostError
{
    internal const int FileTooLarge = 27; // EFBIG
    private const int WindowsFileTooLarge = unchecked((int)0x8007_00df);
    private const int WindowsDiskFull = unchecked((int)0x8007_0070);
    private const int WindowsHandleDiskFull = unchecked((int)0x8007_0027);

    /// <summary>Whether the host says that it cannot take more: the disk, the user's part of it or a file is as large as it can be.</summary>
    internal static bool IsOfSpace(int code) => IsDiskFull(code) || code is FileTooLarge or WindowsFileTooLarge;

    /// <summary>Puts an error of a write or a change of length into words.</summary>
    /// <param name="error">What the framework threw.</param>
    /// <param name="opened">The path that the file was opened by; null for a file that has no name yet.</param>
    /// <param name="known">The path that the user knows it by.</param>
    /// <param name="end">Where what was written ends, in bytes.</param>
    /// <param name="limitOf">The longest file of a folder's file system; null to ask the host.</param>
    /// <returns>What to throw instead; null to let the error go its way.</returns>
    internal static IOException? Describe(Exception error, string? opened, string known, long end, Func<string, long?>? limitOf = null) => error switch
    {
        // That is what .NET makes of EFBIG.
        ArgumentOutOfRangeException => TooLarge(known, end),
        Qcow2Exception => null,
        IOException when error.HResult is FileTooLarge or WindowsFileTooLarge => TooLarge(known, end),
        IOException when IsDiskFull(error.HResult) && IsPastLimit(known, end, limitOf ?? FileSizeLimit.Of) => TooLarge(known, end), // As Windows calls that.
        IOException when IsDiskFull(error.HResult) => NoSpace(known, end, error.HResult),
        IOException when opened != known => Rename(error, opened, known),
        _ => null,
    };

    /// <summary>Puts an error of making a file into words.</summary>
    /// <param name="error">What the framework threw.</param>
    /// <param name="opened">The path that was to be made.</param>
    /// <param name="known">The path that the user knows it by.</param>
    /// <returns>What to throw instead; null to let the error go its way.</returns>
    internal static IOException? OfNewFile(IOException error, string opened, string known) => error switch
    {
        Qcow2Exception or DirectoryNotFoundException or PathTooLongException => null,
        FileNotFoundException => new IOException($"{known}: the file system there takes no new files."), // What Linux says of /proc.
        _ => Rename(error, opened, known),
    };

    /// <summary>An error that names a file by the name that it has until it is complete, or by none, by its own name.</summary>
    private static IOException? Rename(Exception error, string? opened, string known) => error.Message.StartsWith(known, StringComparison.Ordinal)
        ? null
        : new IOException($"{known}: {(opened is null ? error.Message : error.Message.Replace($" : '{opened}'", "").Replace(opened, known))}", error.HResult);

    /// <summary>The disk is full, or the user's part of it.</summary>
    internal static IOException NoSpace(string known, long end, int code) => new(
        $"{known}: there is not enough space on the disk{(code == LibC.ErrorQuota ? ", or the quota is used up" : "")}; the file was to have {end} bytes at least.", code);

    /// <summary>What the host would say if its disk were full.</summary>
    internal static int DiskFull => OperatingSystemInfo.IsWindows ? WindowsDiskFull : LibC.ErrorNoSpace;

    private static bool IsPastLimit(string known, long end, Func<string, long?> limitOf) => Path.GetDirectoryName(known) is string folder && end > limitOf(folder);

    private static bool IsDiskFull(int code) => code is LibC.ErrorNoSpace or WindowsDiskFull or WindowsHandleDiskFull || code == LibC.ErrorQuota;

    private static IOException TooLarge(string known, long end) => new($"{known}: the file system cannot hold a file of {end} bytes.", FileTooLarge);
}
