namespace Qcow2.Engine.Storage;

/// <summary>Paths of Windows that are no files: devices by their own names, and the names that DOS had for some.</summary>
internal static class WindowsDevices
{
    private static readonly string[] Disks = ["PHYSICALDRIVE", "HARDDISK", "CDROM", "VOLUME{"];
    private static readonly string[] Reserved = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

    /// <summary>What a path is by its name; null if it is a file's.</summary>
    /// <param name="path">Full path.</param>
    internal static FileKind? KindOf(string path)
    {
        if (path.StartsWith(@"\\.\", StringComparison.Ordinal) || path.StartsWith(@"\\?\", StringComparison.Ordinal))
        {
            string rest = path.Substring(4);
            if (rest.StartsWith(@"pipe\", StringComparison.OrdinalIgnoreCase))
            {
                return FileKind.Pipe;
            }

            bool isDrive = rest.Length >= 2 && rest[1] == ':';
            if ((isDrive && rest.Length > 2) || rest.StartsWith(@"UNC\", StringComparison.OrdinalIgnoreCase))
            {
                return ReservedName(rest);
            }

            bool isDisk = Array.Exists(Disks, disk => rest.StartsWith(disk, StringComparison.OrdinalIgnoreCase));
            return isDisk && rest.IndexOf('\\') is int slash and >= 0 && slash < rest.Length - 1 ? ReservedName(rest) // A file on the volume.
                : isDrive || isDisk ? FileKind.BlockDevice
                : FileKind.CharacterDevice;
        }

        return ReservedName(path);
    }

    /// <summary>Windows takes these for devices in every folder, and older versions of it whatever the ending.</summary>
    private static FileKind? ReservedName(string path)
    {
        string name = path.Substring(path.LastIndexOfAny(['\\', '/']) + 1);
        int dot = name.IndexOf('.');
        string stem = (dot < 0 ? name : name.Substring(0, dot)).TrimEnd(' ').ToUpperInvariant();
        bool isPort = stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal))
            && stem[3] is (>= '1' and <= '9') or '\u00b9' or '\u00b2' or '\u00b3';
        return isPort || Array.IndexOf(Reserved, stem) >= 0 ? FileKind.CharacterDevice : null;
    }
}
