using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Bitmaps;

/// <summary>
/// Lets the header point to a bitmap directory, or to none, so that no crash leaves half of a pointer that counts (spec: "Bitmaps
/// extension").
/// </summary>
internal sealed class BitmapsExtensionWriter(BlockStorage image, MetadataCommitter committer)
{
    private const int SectorSize = 512;
    private const int TotalLength = HeaderExtension.PrefixLength + BitmapsExtension.DataLength;

    private Qcow2Header Header => committer.Header;

    private int ExtensionsEnd => Header.HeaderLength + Header.Extensions.Sum(extension => extension.TotalLength);

    /// <summary>Where a new extension goes, and where it ends with the end mark that follows it.</summary>
    private (int Start, int End) NewPlace => (RoundUp(ExtensionsEnd), RoundUp(ExtensionsEnd) + TotalLength + HeaderExtension.PrefixLength);

    /// <summary>Where the backing file's name goes if it lies where a new extension must.</summary>
    private int NewNameOffset => RoundUp(Math.Max(NewPlace.End, Header.BackingFileOffset + (int)Header.BackingFileSize));

    /// <summary>Fails before anything is done where the header has no place for the extension.</summary>
    /// <exception cref="Qcow2Exception">It has none.</exception>
    internal void RequireRoom()
    {
        if (Position() is not null)
        {
            return;
        }

        bool movesName = Header.BackingFileOffset != 0 && Header.BackingFileOffset < NewPlace.End;
        int end = movesName ? NewNameOffset + (int)Header.BackingFileSize : NewPlace.End;

        // Where no end mark lies before the old name, the name would become an extension.
        bool hasEndMark = !movesName || Header.BackingFileOffset - ExtensionsEnd >= HeaderExtension.PrefixLength;
        if (end > Header.ClusterSize || !hasEndMark)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.LimitExceeded, "The header's cluster has no room for the bitmaps extension.");
        }
    }

    /// <summary>Points to a directory. All that the directory refers to is on the disk by now, and there is room.</summary>
    internal void Write(BitmapsExtension extension)
    {
        if (Position() is int position)
        {
            Replace(position, extension);
        }
        else
        {
            Add(extension);
        }

        TakeOver();
        if (!Header.Has(AutoclearFeatures.Bitmaps))
        {
            committer.Change(header => header with { AutoclearFeatures = header.AutoclearFeatures | AutoclearFeatures.Bitmaps });
            committer.Commit();
        }
    }

    /// <summary>Points to no directory any more.</summary>
    internal void Remove()
    {
        committer.KeepAutoclearFeatures(~AutoclearFeatures.Bitmaps);

        // Extensions that follow would have to move, which a crash could tear. Without its autoclear bit the extension means nothing.
        if (Position() is int position && Header.Extensions[Header.Extensions.Length - 1] is BitmapsExtension)
        {
            image.Write(position, new byte[HeaderExtension.PrefixLength]);
            image.Flush();
            TakeOver();
        }
    }

    private static int RoundUp(int value) => (value + 7) & ~7;

    /// <summary>Where the extension lies that counts: the last of several.</summary>
    private int? Position()
    {
        int position = Header.HeaderLength;
        int? last = null;
        foreach (HeaderExtension extension in Header.Extensions)
        {
            last = extension is BitmapsExtension ? position : last;
            position += extension.TotalLength;
        }

        return last;
    }

    private void Replace(int position, BitmapsExtension extension)
    {
        int data = position + HeaderExtension.PrefixLength;
        if (data % SectorSize > SectorSize - BitmapsExtension.DataLength)
        {
            // The pointer lies in two sectors: while it changes, it is stale.
            committer.KeepAutoclearFeatures(~AutoclearFeatures.Bitmaps);
        }

        image.Write(data, extension.Bytes);
        image.Flush();
    }

    private void Add(BitmapsExtension extension)
    {
        committer.KeepAutoclearFeatures(~AutoclearFeatures.Bitmaps);
        (int position, int end) = NewPlace;
        if (Header.BackingFileOffset != 0 && Header.BackingFileOffset < end)
        {
            MoveBackingFileName();
        }

        // Behind the end mark nothing counts, so the extension is complete before it takes the mark's place.
        byte[] bytes = new byte[TotalLength + HeaderExtension.PrefixLength];
        extension.Write(bytes);
        image.Write(position + HeaderExtension.PrefixLength, bytes.AsSpan(HeaderExtension.PrefixLength));
        image.Flush();
        image.Write(position, bytes.AsSpan(0, HeaderExtension.PrefixLength));
        image.Flush();
    }

    private void MoveBackingFileName()
    {
        int offset = NewNameOffset;
        image.Write(offset, Header.BackingFileBytes.Span);
        image.Flush();
        byte[] field = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteInt64BigEndian(field, offset);
        image.Write(HeaderField.BackingFileOffset, field);
        image.Flush();
        committer.Change(header => header with { BackingFileOffset = offset });
    }

    /// <summary>The extensions as the disk has them now.</summary>
    private void TakeOver()
    {
        Qcow2Header stored = HeaderCluster.Load(image);
        committer.Change(header => header with { Extensions = stored.Extensions });
    }
}
