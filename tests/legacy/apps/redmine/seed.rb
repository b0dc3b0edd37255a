# Fills the empty database of Redmine.
Redmine::DefaultData::Loader.load('en')

Setting.login_required = '1'
Setting.rest_api_enabled = '1'
Setting.autologin = '30'
Setting.lost_password = '1'
Setting.self_registration = '0'
Setting.attachment_max_size = '40960' # KiB

project = Project.new(name: ENV['MARKER'], identifier: 'secret', is_public: false)
project.trackers = Tracker.all
project.save!

%w[alice bob admin].each do |login|
  user = User.find_by_login(login) || User.new
  user.login = login
  user.firstname = login.capitalize
  user.lastname = 'Example'
  user.mail = "#{login}@example.test"
  user.admin = login == 'admin'
  user.language = 'en'
  user.must_change_passwd = false
  user.password = user.password_confirmation = ENV["PASSWORD_#{login.upcase}"]
  user.save!
  member = Member.new
  member.project = project
  member.principal = user
  member.roles = [Role.givable.first]
  member.save!
end
