using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Vhd;

/// <summary>
/// The two copies of a footer. The one at the end decides what the file is, because a guest cannot write there: of a fixed disk it
/// writes the start of the file, and what it plants there must never be taken for the image.
/// </summary>
internal sealed class VhdFooters
{
    private VhdFooters(VhdFooter? trailing, long dataEnd, VhdFooter? leading)
    {
        Trailing = trailing;
        DataEnd = dataEnd;
        Leading = leading;
    }

    /// <summary>What lies at the end of the file, if it begins as a footer does.</summary>
    internal VhdFooter? Trailing { get; }

    /// <summary>What lies at the start of the file, if it begins as a footer does. Of a fixed disk the guest wrote it.</summary>
    internal VhdFooter? Leading { get; }

    /// <summary>Where the trailing footer starts, or the file ends: no data lie behind it.</summary>
    internal long DataEnd { get; }

    /// <summary>Reads both copies, where there is something that begins as one.</summary>
    internal static VhdFooters Find(BlockStorage storage)
    {
        long length = storage.Length;
        byte[] bytes = new byte[VhdFooter.Length];
        foreach (int size in (int[])[VhdFooter.Length, VhdFooter.ShortLength])
        {
            if (length >= size && TryRead(storage, length - size, bytes) is VhdFooter trailing)
            {
                return new VhdFooters(trailing, length - size, length - size > 0 ? TryRead(storage, 0, bytes) : null);
            }
        }

        return new VhdFooters(null, length, length >= VhdFooter.Length ? TryRead(storage, 0, bytes) : null);
    }

    /// <summary>The copy that holds.</summary>
    /// <param name="isSaid">Whether the caller said that the file is a VHD: then a copy at the start will do where there is none at the end.</param>
    /// <param name="isSalvage">Whether a wrong check sum will do.</param>
    /// <param name="problems">Told what is damaged without keeping the image from being read.</param>
    /// <exception cref="Qcow2Exception">There is none.</exception>
    internal VhdFooter Choose(bool isSaid, bool isSalvage, ICollection<string> problems)
        => Trailing switch
        {
            { HasValidChecksum: true } => ChooseTrailing(Trailing, problems),
            { HasTable: true } when IsGoodCopy => ChooseLeading("The footer at the end of the file has a wrong check sum", problems),
            { DiskType: not VhdDiskType.Fixed } when isSaid && IsGoodCopy => ChooseLeading("The footer at the end of the file is damaged", problems),
            { } damaged => RequireChecksum(damaged, "at the end of the file", isSalvage, problems),
            null when Leading is null => throw VhdErrors.NotVhd("This is not a VHD image: no footer ('conectix') is at its end, nor a copy of one at its start."),
            null when !isSaid => throw VhdErrors.NotVhd(
                "The file begins as a VHD image does, and does not end as one. Whoever wrote a raw disk can have planted that, so it is read as a VHD image only on your word."),
            null when !Leading.HasTable => throw VhdErrors.NotVhd(
                "The footer at the end of the file is missing, and the copy at its start is not one of a dynamic or differencing disk. A fixed disk that lost its footer is a raw disk."),
            null when IsGoodCopy => ChooseLeading("The footer at the end of the file is missing, so the file may have been cut off", problems),
            null => RequireChecksum(Leading, "at the start of the file", isSalvage, problems),
        };

    /// <summary>Whether the copy at the start is sound, and of a kind that has one.</summary>
    private bool IsGoodCopy => Leading is { HasValidChecksum: true, HasTable: true };

    private static VhdFooter? TryRead(BlockStorage storage, long offset, byte[] bytes)
    {
        storage.ReadZeroPadded(offset, bytes);
        return VhdFooter.HasCookie(bytes) ? VhdFooter.Parse(bytes) : null;
    }

    private VhdFooter ChooseTrailing(VhdFooter trailing, ICollection<string> problems)
    {
        if (trailing.HasTable && Leading != trailing)
        {
            problems.Add(Leading switch
            {
                null => "The copy of the footer at the start of the file is missing; the footer at its end was used.",
                { HasValidChecksum: false } => "The copy of the footer at the start of the file has a wrong check sum; the footer at its end was used.",
                _ => "The copy of the footer at the start of the file differs from the footer at its end, which was used.",
            });
        }

        return trailing;
    }

    private VhdFooter ChooseLeading(string reason, ICollection<string> problems)
    {
        problems.Add($"{reason}; the copy at its start was used.");
        return Leading!;
    }

    private static VhdFooter RequireChecksum(VhdFooter footer, string where, bool isSalvage, ICollection<string> problems)
    {
        string problem = VhdErrors.WrongChecksum($"The footer {where}", footer.Checksum, footer.ComputedChecksum);
        if (!isSalvage)
        {
            throw Qcow2Errors.Corrupt(problem);
        }

        problems.Add(problem);
        return footer;
    }
}
