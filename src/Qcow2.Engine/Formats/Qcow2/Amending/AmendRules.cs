using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>What an image, or any image, cannot be made.</summary>
internal static class AmendRules
{
    private const int Version2RefcountBits = 16;

    /// <summary>Refuses what the options or the header forbid.</summary>
    /// <exception cref="ArgumentException">The options contradict each other, or no image could have one.</exception>
    /// <exception cref="NotSupportedException">The image forbids it.</exception>
    internal static void Check(Qcow2Header header, ImageAmendOptions options, string path)
    {
        CheckAlone(options);
        int version = options.Version ?? header.Version;
        if (version == 2 && options.RefcountBits is int bits && bits != Version2RefcountBits)
        {
            throw new NotSupportedException($"{path}: refcounts of version 2 have {Version2RefcountBits} bits; {bits} need version 3.");
        }

        if (version == 2 && options.LazyRefcounts == true)
        {
            throw new NotSupportedException($"{path}: version 2 has no lazy refcounts; they need version 3.");
        }

        if (options.DataFile is not null && !header.Has(IncompatibleFeatures.ExternalDataFile))
        {
            throw new NotSupportedException($"{path}: the image has no external data file whose name could be changed. Convert it to an image that has one.");
        }

        if (options.DataFileRaw == true && !header.Has(AutoclearFeatures.RawExternalData))
        {
            throw new NotSupportedException(
                $"{path}: an image's external data file cannot be made a raw image of the disk afterwards. Convert the image to one that has such a file.");
        }

        if (version < header.Version)
        {
            CheckDowngrade(header, options, path);
        }
    }

    /// <summary>Refuses what snapshots would lose in version 2, where other programs need not read what they say of their size.</summary>
    /// <exception cref="NotSupportedException">One would.</exception>
    internal static void CheckSnapshots(Qcow2Header header, IReadOnlyList<SnapshotTableEntry> snapshots, string path)
    {
        foreach (SnapshotTableEntry snapshot in snapshots)
        {
            snapshot.EnsureSound();
            string name = $"the snapshot '{PrintableText.Of(snapshot.Name)}' (id {PrintableText.Of(snapshot.Id)})";
            if (snapshot.DiskSizeIn(header) != header.Size)
            {
                throw new NotSupportedException(
                    $"{path}: {name} has a disk of {snapshot.DiskSizeIn(header)} bytes, the image one of {header.Size}; version 2 knows one size only. Export and remove the snapshot first.");
            }

            if (snapshot.VmStateSize > uint.MaxValue)
            {
                throw new NotSupportedException($"{path}: {name} holds the state of a virtual machine of {snapshot.VmStateSize} bytes, and version 2 knows less than 4 GiB.");
            }
        }
    }

    /// <summary>The order of a width.</summary>
    internal static RefcountOrder OrderOf(int bits)
    {
        int order = 0;
        while (1 << order < bits)
        {
            order++;
        }

        return new RefcountOrder(order);
    }

    private static void CheckAlone(ImageAmendOptions options)
    {
        if (options.Version is not (null or 2 or 3))
        {
            throw new ArgumentException($"Version {options.Version} does not exist; QCOW2 has versions 2 and 3.", nameof(options));
        }

        if (options.RefcountBits is not (null or 1 or 2 or 4 or 8 or 16 or 32 or 64))
        {
            throw new ArgumentException($"A refcount has 1, 2, 4, 8, 16, 32 or 64 bits, not {options.RefcountBits}.", nameof(options));
        }

        if (options.DataFile is "")
        {
            throw new ArgumentException("The name of the data file is empty.", nameof(options));
        }

        if (options.Version == 2 && ((options.RefcountBits ?? Version2RefcountBits) != Version2RefcountBits || options.LazyRefcounts == true))
        {
            throw new ArgumentException("Version 2 has refcounts of 16 bits, and no lazy ones: they need version 3.", nameof(options));
        }
    }

    private static void CheckDowngrade(Qcow2Header header, ImageAmendOptions options, string path)
    {
        NotSupportedException Refuse(string what, string way) => new($"{path}: {what}, which version 2 does not know. {way}");
        const string Convert = "Convert the image with -Version 2 instead.";
        if (header.Has(IncompatibleFeatures.ExternalDataFile))
        {
            throw Refuse("the image has an external data file", Convert);
        }

        if (header.Has(IncompatibleFeatures.ExtendedL2))
        {
            throw Refuse("the image has extended L2 entries", Convert);
        }

        if ((options.RefcountBits ?? header.RefcountOrder.Bits) != Version2RefcountBits)
        {
            throw Refuse($"the image has refcounts of {header.RefcountOrder.Bits} bits", "Change them to 16 in the same call, or before.");
        }

        if (header.Has(AutoclearFeatures.Bitmaps) && header.Extension<BitmapsExtension>() is not null)
        {
            throw Refuse("the image has bitmaps", "Remove them first.");
        }
    }
}
