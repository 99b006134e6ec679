namespace Qcow2.Engine.Storage;

/// <summary>What Windows says of which file an open file is.</summary>
/// <param name="Id">The numbers of volume and file; null where the file system has none.</param>
/// <param name="FinalPath">
/// The path with every link resolved, led by the volume's unique name (<c>\\?\Volume{…}\</c>), or for a file on a network by server and
/// share (<c>\\?\UNC\</c>); null where Windows does not say it.
/// </param>
internal sealed record WindowsFileFacts(WindowsFileId? Id, string? FinalPath)
{
    private const string NetworkPrefix = @"\\?\UNC\";
    private const string VolumePrefix = @"\\?\Volume{";

    private bool IsOnNetwork => FinalPath?.StartsWith(NetworkPrefix, StringComparison.OrdinalIgnoreCase) ?? false;

    /// <summary>The unique name of the local volume; null where it is not known.</summary>
    private string? Volume
        => FinalPath is not null && FinalPath.StartsWith(VolumePrefix, StringComparison.OrdinalIgnoreCase) && FinalPath.IndexOf('}') is > 0 and int end
            ? FinalPath.Substring(0, end + 1)
            : null;

    /// <summary>Compares two files.</summary>
    /// <remarks>
    /// Numbers of a local volume that differ are of two files. Equal ones prove nothing alone: a volume that was copied block by block
    /// has the same serial number and the same files as the original, and both can be mounted. Over a network numbers are what the server
    /// makes of them, often zero, so that only one and the same path is proof.
    /// </remarks>
    internal FileSameness SamenessTo(WindowsFileFacts other)
    {
        bool areLocal = !IsOnNetwork && !other.IsOnNetwork;
        if (areLocal && Id is { IsUsable: true } id && other.Id is { IsUsable: true } otherId && id.IsWide == otherId.IsWide)
        {
            return id != otherId ? FileSameness.Different
                : Volume is string volume && other.Volume is string otherVolume ? AreSame(volume, otherVolume, StringComparison.OrdinalIgnoreCase)
                : ByPath(other);
        }

        return ByPath(other);
    }

    private FileSameness ByPath(WindowsFileFacts other)
        => FinalPath is null || other.FinalPath is null ? FileSameness.Unknown : AreSame(FinalPath, other.FinalPath, StringComparison.Ordinal);

    /// <summary>Two paths can still lead to one file: by a hard link, by another name of the server.</summary>
    private static FileSameness AreSame(string one, string other, StringComparison comparison)
        => string.Equals(one, other, comparison) ? FileSameness.Same : FileSameness.Unknown;
}

/// <summary>The numbers of a file on Windows.</summary>
/// <param name="IsWide">Whether they are those of <c>FILE_ID_INFO</c>, which are longer.</param>
/// <param name="Volume">Serial number of the volume, 64 or 32 bits.</param>
/// <param name="High">The upper half of a 128-bit file id; 0 of a 64-bit one.</param>
/// <param name="Low">The lower half, or the 64-bit id.</param>
internal readonly record struct WindowsFileId(bool IsWide, ulong Volume, ulong High, ulong Low)
{
    /// <summary>Whether they tell files apart: drivers that have none say zero or all ones.</summary>
    internal bool IsUsable => Volume != 0 && (High, Low) is not (0, 0) && (High, Low) is not (ulong.MaxValue, ulong.MaxValue) && (IsWide || Low != ulong.MaxValue);
}
