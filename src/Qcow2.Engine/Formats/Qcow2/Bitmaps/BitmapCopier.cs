using Qcow2.Engine.Errors;
using Qcow2.Engine.Format;

namespace Qcow2.Engine.Conversion;

/// <summary>Copies the persistent bitmaps of an image into another, as <c>qemu-img convert --bitmaps</c> does.</summary>
public static class BitmapCopier
{
    /// <summary>
    /// Copies every bitmap with its name, granularity and bits, and whether it is enabled: all of them, or none. Bitmaps that the header
    /// says are stale are none. They are on the disk when this returns; enabled ones record from now on what is written to the
    /// destination, and are saved when it is closed. So copy the data first.
    /// </summary>
    /// <param name="source">The image that has the bitmaps, open for reading only.</param>
    /// <param name="destination">The image that gets them, open for writing, with a disk of the same size, to a whole sector.</param>
    /// <param name="skipInconsistent">Whether bitmaps that were never saved are left out. By default they are an error.</param>
    /// <param name="cancellationToken">Stops the copying; the destination has no bitmap more then.</param>
    /// <returns>Names of the bitmaps that were left out.</returns>
    /// <exception cref="ArgumentException">The source is open for writing, or the disks differ in size.</exception>
    /// <exception cref="NotSupportedException">The destination is open for reading only.</exception>
    /// <exception cref="Qcow2Exception">
    /// A bitmap was never saved, is damaged, or holds what is not understood; or the destination is of version 2, has a bitmap of
    /// that name, or cannot take so many or so large ones.
    /// </exception>
    /// <exception cref="IOException">The host could not read or write. The destination is consistent.</exception>
    public static IReadOnlyList<string> Copy(
        Qcow2Image source, Qcow2Image destination, bool skipInconsistent = false, CancellationToken cancellationToken = default)
    {
        (List<BitmapDirectoryEntry> copied, List<string> skipped) = Choose(source, skipInconsistent);

        RequireSameSize(source, destination);
        if (copied.Count > 0)
        {
            destination.AddBitmaps(source, copied, cancellationToken);
        }

        return skipped;
    }

    /// <summary>Finds out before much else is done whether bitmaps can be copied.</summary>
    /// <param name="source">The image that has the bitmaps.</param>
    /// <param name="skipInconsistent">Whether bitmaps that were never saved are left out.</param>
    internal static void EnsureCopyable(Qcow2Image source, bool skipInconsistent) => Choose(source, skipInconsistent);

    /// <summary>Refuses disks of different sizes. No bit of a bitmap stands for less than a sector, so that the last one may be whole or not.</summary>
    internal static void RequireSameSize(Qcow2Image source, Qcow2Image destination)
    {
        if (DiskSize.RoundUp(source.Length) != DiskSize.RoundUp(destination.Length))
        {
            throw new ArgumentException(
                $"{destination.Path}: the disk has {destination.Length} bytes, but the bitmaps are those of a disk of {source.Length} bytes.", nameof(destination));
        }
    }

    /// <summary>Finds a bitmap that can be read.</summary>
    /// <exception cref="Qcow2Exception">There is none of that name, or it was never saved or holds what is not understood.</exception>
    internal static BitmapDirectoryEntry Find(Qcow2Image source, string name)
    {
        RequireReadOnly(source);
        return FindUsable(source, name);
    }

    /// <summary>Finds a bitmap that says what was written.</summary>
    /// <exception cref="Qcow2Exception">There is none of that name, or it was never saved or holds what is not understood.</exception>
    internal static BitmapDirectoryEntry FindUsable(Qcow2Image source, string name)
    {
        BitmapDirectoryEntry entry = source.Bitmaps.FirstOrDefault(bitmap => string.Equals(bitmap.Name, name, StringComparison.Ordinal))
            ?? throw new Qcow2Exception(Qcow2ErrorCode.BitmapNotFound, $"There is no bitmap with the name '{PrintableText.Of(name)}'.").At(source.Path);
        RequireUsable(source, entry);
        return entry;
    }

    private static void RequireReadOnly(Qcow2Image source)
    {
        if (source.CanWrite)
        {
            throw new ArgumentException($"{source.Path}: bitmaps of an image that is open for writing are changing; open it for reading.", nameof(source));
        }
    }

    private static void RequireUsable(Qcow2Image source, BitmapDirectoryEntry bitmap)
    {
        string shown = PrintableText.Of(bitmap.Name);
        if ((bitmap.Flags & BitmapFlags.InUse) != 0)
        {
            throw new Qcow2Exception(
                Qcow2ErrorCode.BitmapInconsistent,
                $"Bitmap '{shown}' was not saved when the image was last closed, so what it says is outdated. It can only be removed: Remove-Qcow2Bitmap, or Repair-Qcow2Image -Mode All.").At(source.Path);
        }

        if (!bitmap.ExtraData.IsEmpty)
        {
            throw Qcow2Errors.Unsupported(
                $"Bitmap '{shown}' has {bitmap.ExtraData.Length} bytes of extra data, whose meaning is not known, so that it cannot be copied.").At(source.Path);
        }
    }

    private static (List<BitmapDirectoryEntry> Copied, List<string> Skipped) Choose(Qcow2Image source, bool skipInconsistent)
    {
        RequireReadOnly(source);
        var copied = new List<BitmapDirectoryEntry>();
        var skipped = new List<string>();
        foreach (BitmapDirectoryEntry bitmap in source.Bitmaps)
        {
            if (skipInconsistent && (bitmap.Flags & BitmapFlags.InUse) != 0)
            {
                skipped.Add(bitmap.Name);
                continue;
            }

            RequireUsable(source, bitmap);
            copied.Add(bitmap with { Flags = bitmap.Flags & BitmapFlags.Auto });
        }

        return (copied, skipped);
    }
}

