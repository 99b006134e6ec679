namespace Qcow2.Engine.Disks.References;

/// <summary>
/// Reads a name as Windows does. What Windows would take for something else than it seems (a server, a device, a stream, a name that is
/// shortened) is refused, so that what is judged here is what is opened.
/// </summary>
/// <remarks>Opening <c>\\server\share</c> sends the user's credentials to that server: a name leads to one only if the image lies on it.</remarks>
internal static class WindowsReferenceName
{
    private const string LongPrefix = @"\\?\";
    private const string LongNetworkPrefix = @"\\?\UNC\";

    private static readonly char[] Forbidden = ['<', '>', '"', '|', '?', '*', ':'];

    private static readonly string[] DeviceNames = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"];

    /// <summary>Shares that lead to pipes and mail slots of the server, and to no file.</summary>
    private static readonly string[] ServiceShares = ["PIPE", "MAILSLOT", "IPC$"];

    internal static bool IsDriveLetter(char letter) => letter is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z');

    /// <summary>Resolves a name that is neither empty nor that of a protocol; see <see cref="ReferenceName.TryResolve"/>.</summary>
    internal static string? TryResolve(string name, string imagePath, out string? refusal)
    {
        name = name.Replace('/', '\\');
        if (Root.Of(imagePath.Replace('/', '\\')) is not Root image)
        {
            // Of an image on a device, such as \\.\PhysicalDrive1, nothing can be relative.
            image = default;
        }

        Root root;
        bool isRelative = false;
        if (name.StartsWith(@"\\", StringComparison.Ordinal))
        {
            refusal = NetworkRefusal(name, image);
            root = Root.Of(name) ?? default;
        }
        else if (name.StartsWith(@"\??\", StringComparison.Ordinal))
        {
            refusal = "is a device path";
            return null;
        }
        else if (name.Length > 1 && name[1] == ':')
        {
            root = Root.Of(name) ?? default;
            refusal = root.Prefix is null ? "starts from the current folder of a drive, which says nothing: write the whole path" : null;
        }
        else
        {
            isRelative = name[0] != '\\';
            root = image with { Rest = name };
            refusal = image.Prefix is null ? "is relative to an image that lies in no folder" : null;
        }

        if (refusal is not null)
        {
            return null;
        }

        var segments = new List<string>();
        if (isRelative)
        {
            segments.AddRange(image.Segments);
            segments.RemoveAt(segments.Count - 1); // The image's own name.
        }

        refusal = Walk(root.Segments, segments);
        return refusal is null ? root.Prefix + string.Join(@"\", segments) : null;
    }

    private static string? NetworkRefusal(string name, Root image)
    {
        if (name.StartsWith(LongPrefix, StringComparison.Ordinal) || name.StartsWith(@"\\.\", StringComparison.Ordinal)
            || name is @"\\?" or @"\\.")
        {
            return @"is a device path: write C:\folder\file";
        }

        if (Root.Of(name) is not { Server: string server } root)
        {
            return "is no path of a share";
        }

        return !string.Equals(server, image.Server, StringComparison.OrdinalIgnoreCase) ? "leads to another machine"
            : ServiceShares.Contains(root.Share, StringComparer.OrdinalIgnoreCase) ? "leads to a service and no file"
            : null;
    }

    /// <summary>Goes down from a folder by the segments of a name.</summary>
    /// <returns>What is wrong with one of them; null where nothing is.</returns>
    private static string? Walk(IEnumerable<string> names, List<string> path)
    {
        foreach (string name in names)
        {
            switch (name)
            {
                case "" or ".":
                    break;
                case "..":
                    if (path.Count > 0)
                    {
                        path.RemoveAt(path.Count - 1);
                    }

                    break;
                default:
                    if (RefusalOf(name) is string refusal)
                    {
                        return refusal;
                    }

                    path.Add(name);
                    break;
            }
        }

        return null;
    }

    private static string? RefusalOf(string name)
        => name.Contains(':') ? "names a stream inside a file"
            : name.Any(letter => letter < ' ' || Forbidden.Contains(letter)) ? "holds characters that no file's name has"
            : name[name.Length - 1] is '.' or ' ' ? "ends with a dot or a blank, which Windows leaves out"
            : IsDevice(name) ? "is the name of a device"
            : null;

    /// <summary>Also with an extension, as Windows has it up to version 10.</summary>
    private static bool IsDevice(string name)
    {
        string stem = name.Split('.')[0].TrimEnd(' ');
        return DeviceNames.Contains(stem, StringComparer.OrdinalIgnoreCase)
            || (stem.Length == 4
                && (stem.StartsWith("COM", StringComparison.OrdinalIgnoreCase) || stem.StartsWith("LPT", StringComparison.OrdinalIgnoreCase))
                && stem[3] is (>= '0' and <= '9') or '\u00b9' or '\u00b2' or '\u00b3');
    }

    /// <summary>What a full path begins with: a drive, or a server and its share.</summary>
    /// <param name="Prefix">As it is opened, with its last separator; null for what is no full path of a file.</param>
    /// <param name="Server">The server; null on a drive.</param>
    /// <param name="Share">The share; null on a drive.</param>
    /// <param name="Rest">What follows.</param>
    private readonly record struct Root(string? Prefix, string? Server, string? Share, string Rest)
    {
        internal IEnumerable<string> Segments => Rest.Split('\\').Where(name => name.Length > 0);

        internal static Root? Of(string path)
        {
            if (path.StartsWith(LongNetworkPrefix, StringComparison.OrdinalIgnoreCase))
            {
                return OfShare(LongNetworkPrefix, path.Substring(LongNetworkPrefix.Length));
            }

            string prefix = path.StartsWith(LongPrefix, StringComparison.Ordinal) ? LongPrefix : "";
            string rest = path.Substring(prefix.Length);
            if (rest.Length >= 3 && IsDriveLetter(rest[0]) && rest[1] == ':' && rest[2] == '\\')
            {
                return new Root($"{prefix}{rest.Substring(0, 3)}", null, null, rest.Substring(3));
            }

            return prefix.Length == 0 && rest.StartsWith(@"\\", StringComparison.Ordinal) ? OfShare(@"\\", rest.Substring(2)) : null;
        }

        private static Root? OfShare(string prefix, string rest)
        {
            string[] parts = rest.Split(['\\'], 3);
            return parts.Length == 3 && parts[0].Length > 0 && parts[0] is not ("." or "?") && parts[1].Length > 0 && parts[1] is not ("." or "..")
                ? new Root($@"{prefix}{parts[0]}\{parts[1]}\", parts[0], parts[1], parts[2])
                : null;
        }
    }
}
