namespace Qcow2.Engine.Storage;

/// <summary>
/// Files of Windows whose content lies elsewhere (OneDrive, Azure File Sync, archives on tape): the first read fetches it, often all of it, and waits.
/// A look at every image of a folder would fetch terabytes, so that no file is opened that is not here.
/// </summary>
internal static class WindowsPlaceholder
{
    private const FileAttributes RecallOnOpen = (FileAttributes)0x0004_0000; // FILE_ATTRIBUTE_RECALL_ON_OPEN
    private const FileAttributes RecallOnDataAccess = (FileAttributes)0x0040_0000; // FILE_ATTRIBUTE_RECALL_ON_DATA_ACCESS

    /// <summary>Whether attributes are those of such a file.</summary>
    internal static bool IsElsewhere(FileAttributes attributes) => (attributes & (FileAttributes.Offline | RecallOnOpen | RecallOnDataAccess)) != 0;

    /// <summary>Refuses such a file. Its attributes can be asked for without fetching anything.</summary>
    /// <param name="path">Full path.</param>
    /// <exception cref="Qcow2Exception">The content is not here.</exception>
    internal static void Refuse(string path)
    {
        if (!OperatingSystemInfo.IsWindows)
        {
            return;
        }

        try
        {
            if (!IsElsewhere(File.GetAttributes(path)))
            {
                return;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return; // Opening it says what is wrong.
        }

        throw new Qcow2Exception(
            Qcow2ErrorCode.FileOffline,
            "The content of this file is not on this machine, and opening it would fetch all of it (OneDrive, Azure File Sync, an archive). "
            + "Fetch it first, with that program or by copying the file.").At(path);
    }
}
