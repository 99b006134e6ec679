using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>A device that the host uses is not written under it.</summary>
public sealed class DeviceUseTests
{
    [LoopDeviceFact]
    public void Mounted_device_is_refused_for_writing_only_and_only_while_it_is_mounted()
    {
        using var folder = new TempFolder();
        string file = folder.File("disk");
        string mounted = folder.File("mounted");
        string link = folder.File("link");
        Directory.CreateDirectory(mounted);
        using (FileStream stream = File.Create(file))
        {
            stream.SetLength(8 << 20);
        }

        string device = Shell.Run("losetup", "-f", "--show", file);
        try
        {
            File.CreateSymbolicLink(link, device);
            Shell.Run("mkfs.ext4", "-q", device);
            Shell.Run("mount", device, mounted);
            try
            {
                foreach (string path in new[] { device, link })
                {
                    var error = Assert.Throws<Qcow2Exception>(() => LocalFile.OpenReadWrite(path));
                    Assert.Equal(Qcow2ErrorCode.ImageLocked, error.Code);
                    Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
                    LocalFile.OpenRead(path).Dispose();
                }
            }
            finally
            {
                Shell.Run("umount", mounted);
            }

            using LocalFile first = LocalFile.OpenReadWrite(device);
            LocalFile.OpenReadWrite(device).Dispose(); // Being open is no claim of the host.
        }
        finally
        {
            Shell.Run("losetup", "-d", device);
        }
    }
}
