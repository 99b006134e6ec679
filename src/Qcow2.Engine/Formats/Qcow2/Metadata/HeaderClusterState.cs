using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>The first cluster of an image at one moment: its bytes, and which of them mean something.</summary>
/// <remarks>
/// A disk writes a sector whole or not at all. So all that lies in the first sector changes at once; what lies behind it is
/// written beforehand, to places that mean nothing yet.
/// </remarks>
internal sealed class HeaderClusterState
{
    internal const int SectorSize = 512;

    /// <summary>
    /// "SKIP": an extension whose data means nothing. It is on the disk after a crash in the midst of a change only, and ignored by
    /// every reader.
    /// </summary>
    internal const HeaderExtensionType Skip = (HeaderExtensionType)0x534b_4950;

    private readonly bool[] _isLive;

    private HeaderClusterState(Qcow2Header header, byte[] bytes, bool[] isLive)
    {
        Header = header;
        Bytes = bytes;
        _isLive = isLive;
    }

    internal Qcow2Header Header { get; }

    internal byte[] Bytes { get; }

    /// <summary>First byte behind all that means something.</summary>
    internal int LiveEnd => Array.LastIndexOf(_isLive, true) + 1;

    /// <summary>The cluster as it was read.</summary>
    internal static HeaderClusterState Of(Qcow2Header header, byte[] bytes) => new(header, bytes, LiveBytes(header));

    /// <summary>
    /// The same cluster with another header, all of whose parts behind the first sector lie where now nothing does, or where
    /// they lie already.
    /// </summary>
    /// <param name="header">The new header.</param>
    /// <returns>Null if that is not so, or if the parts do not fit in the cluster.</returns>
    internal HeaderClusterState? TryChangeTo(Qcow2Header header)
    {
        int nameEnd = header.BackingFileOffset + header.BackingFileBytes.Length;
        int extensionsEnd = ExtensionsEnd(header);
        if (extensionsEnd > Bytes.Length || nameEnd > Bytes.Length || (header.BackingFileOffset != 0 && header.BackingFileOffset < extensionsEnd))
        {
            return null;
        }

        byte[] bytes = [.. Bytes];
        header.Write(bytes);
        bool[] isLive = LiveBytes(header);
        for (int i = SectorSize; i < bytes.Length; i++)
        {
            if (isLive[i] && _isLive[i] && bytes[i] != Bytes[i])
            {
                return null;
            }
        }

        return new HeaderClusterState(header, bytes, isLive);
    }

    /// <summary>The same cluster without the bytes that meant something in other states and mean nothing now.</summary>
    internal byte[] Wiped(IEnumerable<HeaderClusterState> others)
    {
        byte[] bytes = [.. Bytes];
        foreach (HeaderClusterState other in others)
        {
            for (int i = 0; i < bytes.Length; i++)
            {
                bytes[i] = other._isLive[i] && !_isLive[i] ? (byte)0 : bytes[i];
            }
        }

        return bytes;
    }

    /// <summary>First byte behind the extensions of a header and the marker that ends them.</summary>
    internal static int ExtensionsEnd(Qcow2Header header)
        => header.HeaderLength + header.Extensions.Sum(extension => extension.TotalLength) + HeaderExtension.PrefixLength;

    private static bool[] LiveBytes(Qcow2Header header)
    {
        bool[] isLive = new bool[header.ClusterSize];
        isLive.AsSpan(0, Math.Min(ExtensionsEnd(header), isLive.Length)).Fill(true);
        int position = header.HeaderLength;
        foreach (HeaderExtension extension in header.Extensions)
        {
            if (extension.Type == Skip)
            {
                isLive.AsSpan(position + HeaderExtension.PrefixLength, extension.TotalLength - HeaderExtension.PrefixLength).Clear();
            }

            position += extension.TotalLength;
        }

        if (header.BackingFileOffset != 0)
        {
            isLive.AsSpan(header.BackingFileOffset, header.BackingFileBytes.Length).Fill(true);
        }

        return isLive;
    }
}
