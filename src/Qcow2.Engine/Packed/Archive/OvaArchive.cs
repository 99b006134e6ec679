using System.Xml;
using Qcow2.Engine.Errors;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed.Archive;

/// <summary>An OVA: an OVF package as a tar archive, with a descriptor and disks. They lie in it as they are, and are read where they lie.</summary>
internal static class OvaArchive
{
    private const long MostDescriptorBytes = 16 << 20;

    /// <summary>Finds the disks, by the descriptor.</summary>
    /// <param name="storage">The archive.</param>
    /// <exception cref="Qcow2Exception">The archive is cut off or damaged, or no OVA.</exception>
    internal static IReadOnlyList<TarEntry> ReadDisks(BlockStorage storage) => ReadDisks(storage, out _);

    /// <summary>Finds the disks, by the descriptor, and what may be its manifest.</summary>
    /// <param name="storage">The archive.</param>
    /// <param name="manifests">The manifests, of which there is one in an archive that is in order, or none.</param>
    /// <exception cref="Qcow2Exception">The archive is cut off or damaged, or no OVA.</exception>
    internal static IReadOnlyList<TarEntry> ReadDisks(BlockStorage storage, out IReadOnlyList<TarEntry> manifests)
    {
        IReadOnlyList<TarEntry> entries = TarArchive.Read(storage);
        TarEntry descriptor = entries.FirstOrDefault(entry => entry.Name.EndsWith(".ovf", StringComparison.OrdinalIgnoreCase))
            ?? throw Qcow2Errors.Unsupported("There is no OVF descriptor in the archive, so that this is no OVA: extract the disk from it with tar.").At(storage.Path);
        if (descriptor.Problem is not null || descriptor.Length > MostDescriptorBytes)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.PackedFileCorrupt, "The OVF descriptor in the archive cannot be read.").At(storage.Path);
        }

        manifests = OvaManifest.Find(entries, descriptor);
        byte[] text = new byte[(int)descriptor.Length];
        storage.ReadExactly(descriptor.Offset, text);
        try
        {
            return [.. OvfDescriptor.ReadDisks(new MemoryStream(text)).Select(disk => EntryOf(disk.File, entries))];
        }
        catch (XmlException e)
        {
            throw new Qcow2Exception(Qcow2ErrorCode.PackedFileCorrupt, $"The OVF descriptor in the archive is no XML that is read here: {PrintableText.Of(e.Message)}", e).At(storage.Path);
        }
    }

    private static TarEntry EntryOf(OvfFile file, IReadOnlyList<TarEntry> entries)
    {
        TarEntry[] found = [.. entries.Where(entry => Plain(entry.Name) == Plain(file.Name))];
        TarEntry entry = found.Length > 0 ? found[0] : new TarEntry(file.Name, 0, 0, "it is not in the archive.");
        string? problem = found.Length > 1 ? "the archive has several files of that name."
            : !string.IsNullOrEmpty(file.Compression) && file.Compression != "identity" ? $"it is compressed with {PrintableText.Of(file.Compression!)} inside the archive: extract it with tar, and unpack it."
            : file.IsSplit ? "it lies in the archive in pieces: extract it with tar, and join them."
            : entry.Problem;
        return entry with { Name = file.Name, Problem = problem };
    }

    /// <summary>A name as tar and others may write it.</summary>
    internal static string Plain(string name) => name.StartsWith("./", StringComparison.Ordinal) ? name.Substring(2) : name;
}
