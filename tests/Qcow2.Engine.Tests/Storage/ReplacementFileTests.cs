using Qcow2.Engine.Storage;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>Until a new file is complete, the old one stays as it was.</summary>
public sealed class ReplacementFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Old_file_stays_until_the_new_one_is_complete()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        using (var file = ReplacementFile.Create(path, overwrite: true))
        {
            file.Storage.Write(0, "new"u8);
            using (var old = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)))
            {
                Assert.Equal("old", old.ReadToEnd());
            }

            file.Commit();
        }

        Assert.Equal("new", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Nothing_is_left_behind_without_a_commit()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");
        using (var file = ReplacementFile.Create(path, overwrite: true))
        {
            file.Storage.Write(0, "new"u8);
        }

        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Name_of_the_new_file_is_brought_to_the_disk_once_it_is_in_place()
    {
        string path = _folder.File("disk.raw");
        var flushed = new List<string>();
        using (var file = ReplacementFile.Create(path, overwrite: false))
        {
            file.Storage.Write(0, "new"u8);
            file.FlushFolder = folder =>
            {
                flushed.Add(folder);
                Assert.Equal([path], Directory.GetFiles(folder));
            };
            file.Commit();
        }

        Assert.Equal([_folder.Path], flushed);
    }

    [Fact]
    public void Name_that_the_disk_could_not_take_is_reported_and_the_file_stays()
    {
        string path = _folder.File("disk.raw");
        using (var file = ReplacementFile.Create(path, overwrite: false))
        {
            file.Storage.Write(0, "new"u8);
            file.FlushFolder = _ => throw new IOException("broken disk");
            Assert.Equal("broken disk", Assert.Throws<IOException>(file.Commit).Message);
        }

        Assert.Equal("new", File.ReadAllText(path));
    }

    [Fact]
    public void Name_may_be_as_long_as_the_host_allows()
    {
        string path = _folder.File(new string('n', 250));
        using (var file = ReplacementFile.Create(path, overwrite: false))
        {
            file.Storage.Write(0, "new"u8);
            file.Commit();
        }

        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Folder_that_cannot_be_flushed_is_no_failure()
    {
        FolderFlush.Run(_folder.Path);
        FolderFlush.Run(_folder.File("missing"));
    }

    [Fact]
    public void Existing_file_is_refused_unless_it_may_be_replaced()
    {
        string path = _folder.File("disk.raw");
        File.WriteAllText(path, "old");

        var error = Assert.Throws<Qcow2Exception>(() => ReplacementFile.Create(path, overwrite: false));

        Assert.Equal(Qcow2ErrorCode.DestinationExists, error.Code);
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void File_that_appears_meanwhile_is_not_replaced()
    {
        string path = _folder.File("disk.raw");
        using (var file = ReplacementFile.Create(path, overwrite: false))
        {
            File.WriteAllText(path, "someone else's");
            Assert.Throws<Qcow2Exception>(file.Commit);
        }

        Assert.Equal("someone else's", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }
}
