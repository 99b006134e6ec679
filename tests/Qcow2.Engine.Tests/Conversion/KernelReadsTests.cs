using System.Buffers.Binary;
using Qcow2.Engine.Conversion;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Conversion;

/// <summary>The kernel's own eyes on disks of other formats that were written here: those whose bytes lie in one piece are a device at an offset.</summary>
public sealed class KernelReadsTests : IDisposable
{
    private const long MiB = 1 << 20;
    private const long PartitionStart = 2 * MiB;
    private const long PartitionLength = 24 * MiB;
    private const string Text = "Written before it went through another format.";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The partition table is read, and the file system in the partition mounted, out of the very file that was written.</summary>
    [LoopDeviceFact]
    public void A_partition_and_its_file_system_are_found_in_each_whole_disk()
    {
        string source = MakeDisk();
        foreach ((DiskCreateOptions layout, long start) in new (DiskCreateOptions, long)[]
            {
                (new VhdCreateOptions { AzureReady = true }, 0),
                (new VhdxCreateOptions { IsFixed = true }, 4 * MiB),
                (new VdiCreateOptions { IsFixed = true }, 2 * MiB),
            })
        {
            string path = _folder.File($"disk.{layout.FormatName}");
            using (Qcow2Image disk = Qcow2Image.Open(source))
            {
                DiskConverter.Convert(disk, path, layout);
            }

            string device = Shell.Run("losetup", "--find", "--show", "--read-only", "--offset", $"{start}", "--sizelimit", $"{32 * MiB}", path);
            try
            {
                // The table is read from the kernel's device by partx: not every kernel knows this kind of table itself.
                string found = Shell.Run("partx", "--show", "--noheadings", "--output", "START,SECTORS", device);
                Assert.Equal([$"{PartitionStart / 512}", $"{PartitionLength / 512}"], found.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            }
            finally
            {
                Shell.Run("losetup", "--detach", device);
            }

            AssertMounts(path, start + PartitionStart);
        }
    }

    private void AssertMounts(string path, long offset)
    {
        string mounted = _folder.File("mounted");
        Directory.CreateDirectory(mounted);
        Shell.Run("mount", "-o", $"ro,loop,offset={offset},sizelimit={PartitionLength}", path, mounted);
        try
        {
            Assert.Equal(Text, File.ReadAllText(System.IO.Path.Combine(mounted, "note")));
        }
        finally
        {
            Shell.Run("umount", mounted);
        }
    }

    /// <summary>A qcow2 image of 32 MiB with one partition, in which there is a file system with a file.</summary>
    private string MakeDisk()
    {
        string content = _folder.File("content");
        Directory.CreateDirectory(content);
        File.WriteAllText(System.IO.Path.Combine(content, "note"), Text);
        string files = _folder.File("files.raw");
        Shell.Run("mkfs.ext4", "-q", "-d", content, files, $"{PartitionLength / 1024}k");

        string raw = _folder.File("disk.raw");
        using (FileStream disk = File.Create(raw))
        {
            byte[] table = new byte[512];
            table[446 + 4] = 0x83; // A partition of Linux.
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(446 + 8), (uint)(PartitionStart / 512));
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(446 + 12), (uint)(PartitionLength / 512));
            table[510] = 0x55;
            table[511] = 0xaa;
            disk.Write(table);
            disk.Position = PartitionStart;
            disk.Write(File.ReadAllBytes(files));
            disk.SetLength(32 * MiB);
        }

        string image = _folder.File("disk.qcow2");
        using RawDisk source = RawDisk.Open(raw);
        DiskConverter.ConvertToQcow2(source, image);
        return image;
    }
}
