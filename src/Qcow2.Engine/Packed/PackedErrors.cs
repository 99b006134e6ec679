namespace Qcow2.Engine.Packed;

/// <summary>What is wrong with packed files, said the same way of each kind.</summary>
internal static class PackedErrors
{
    private const string DownloadAgain = "Get the file again, and compare its check sum with the published one.";

    internal static Qcow2Exception CutOff(string path, long length)
        => Corrupt(path, $"The packed file is cut off: it ends after {length} bytes, and more must follow. {DownloadAgain}");

    internal static Qcow2Exception Damaged(string path, long offset, string what)
        => Corrupt(path, $"The packed file is damaged near 0x{offset:x}: {what} {DownloadAgain}");

    /// <summary>Something follows what is packed. It may be what is left of a damaged file, or of one that was written over.</summary>
    internal static Qcow2Exception Trailing(string path, long offset, string kind)
        => Corrupt(path, $"Something that is no {kind} follows at 0x{offset:x}, behind what is packed. {DownloadAgain}");

    internal static Qcow2Exception Unsupported(string path, string what) => Qcow2Errors.Unsupported(what).At(path);

    /// <summary>What has no check sum cannot be told from what was damaged on its way.</summary>
    internal static Qcow2Exception Unchecked(string path, string tool)
        => Unsupported(path, $"What is packed has no check sum, so that damage to it could not be told. Compare the file's own check sum with the published one, and unpack it with {tool} first.");

    private static Qcow2Exception Corrupt(string path, string message) => new Qcow2Exception(Qcow2ErrorCode.PackedFileCorrupt, message).At(path);
}
